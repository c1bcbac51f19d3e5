"""How labelled data are read: which column holds what, and what their labels mean to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from guardrail.bench.files import DataError

__all__ = ["BENIGN", "BLOCK", "OTHER", "Columns", "Labels", "label_map", "own_label"]

BLOCK, BENIGN, OTHER = "block", "benign", "other"
"""What ought to become of a row: it is to be blocked, it is harmless, or neither counts against the policy."""

_DEFAULT_OTHER = ("person", "violence", "hate", "selfharm", "other_unsafe")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns. `text` and `label` must be there; the others may be absent. An empty name: not used.

    `pair` holds a word that a harmful prompt and its benign twin share. `pair_benign` stands in the rows of one kind
    only and names the twin: in harmful ones by its text or its id, in benign ones by its id.
    """

    text: str = "text"
    label: str = "label"
    lang: str = "lang"
    source: str = "source"
    attack: str = "attack"
    group: str = "split_group"
    id: str = "id"
    pair: str = "pair"
    pair_benign: str = "pair_benign"

    @classmethod
    def of(cls, pairs: Sequence[str]) -> Columns:
        """From ``text=prompt`` and the like.

        Raises:
            DataError: it is not written so, or the first part is not one of the fields.
        """
        named: dict[str, str] = {}
        known = [f.name for f in fields(cls)]
        for pair in pairs:
            part, equals, name = pair.partition("=")
            if not equals or part not in known or (not name and part in ("text", "label")):
                raise DataError(f"--column {pair!r}: write FIELD=NAME, with FIELD one of {', '.join(known)}")
            named[part] = name
        return cls(**named)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        return tuple(dict.fromkeys(name for f in fields(self) if (name := getattr(self, f.name))))

    def or_told(self, told: Mapping[str, str]) -> Columns:
        """With what a description says of the columns that nobody named otherwise."""
        usual = Columns()
        left = {name: to for name, to in told.items() if getattr(self, name) == getattr(usual, name)}
        return replace(self, **left)

    def to_json(self) -> dict[str, str]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Labels:
    """Which labels are to be blocked, which are harmless, and which are unsafe in another way and counted apart.

    Attributes:
        map: the data's own labels (see `own_label`) → ours. A label that is not in it is taken as it stands.
    """

    block: tuple[str, ...] = ("sexual", "nudity")
    benign: tuple[str, ...] = ("benign",)
    other: tuple[str, ...] = _DEFAULT_OTHER
    map: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What is "other" by default may be claimed by one of the two without a word.
        own = set(self.other) - set(_DEFAULT_OTHER)
        both = (set(self.block) & set(self.benign)) | ((set(self.block) | set(self.benign)) & own)
        if both:
            raise DataError(f"the label {min(both)} is given two meanings: name it once")
        for label, ours in self.map.items():
            if self.role(ours) is None:
                raise DataError(
                    f"--label-map {label}={ours}: nobody said what {ours!r} means; map to a label of --block, "
                    f"--benign or --other: {', '.join((*self.block, *self.benign, *self.other))}"
                )

    def role(self, label: str) -> str | None:
        """One of `BLOCK`, `BENIGN`, `OTHER`; None where nobody said what the label means."""
        if label in self.block:
            return BLOCK
        if label in self.benign:
            return BENIGN
        return OTHER if label in self.other else None

    def ours(self, label: str) -> str:
        """Our label for one of the data's own."""
        return self.map.get(label, self.map.get(_truth(label), label))

    def or_told(self, told: Mapping[str, str]) -> Labels:
        """With what a description says of the labels that nobody mapped otherwise."""
        return replace(self, map={**told, **self.map}) if told else self

    def to_json(self) -> dict[str, Any]:
        rest = [label for label in self.other if label not in (*self.block, *self.benign)]
        told: dict[str, Any] = {BLOCK: list(self.block), BENIGN: list(self.benign), OTHER: rest}
        return told | ({"map": dict(self.map)} if self.map else {})


def label_map(pairs: Sequence[str]) -> dict[str, str]:
    """From ``nsfw=sexual``, ``1=sexual``, ``false=benign``; ``=benign`` says what a row without a label is.

    Raises:
        DataError: it is not written so, or gives a label two meanings.
    """
    told: dict[str, str] = {}
    for pair in pairs:
        # The data's own labels may hold "=", ours do not.
        label, equals, ours = pair.rpartition("=")
        label, ours = _truth(label.strip()), ours.strip()
        if not equals or not ours:
            raise DataError(f"--label-map {pair!r}: write OWN=OURS, such as nsfw=sexual, 1=sexual or false=benign")
        if told.setdefault(label, ours) != ours:
            raise DataError(f"--label-map: {label!r} is mapped twice: name it once")
    return told


def own_label(value: object) -> str | None:
    """A label as the data hold it, as a word: ``true``, ``false``, a whole number, a text; empty where there is none.

    None for what can be no label. 1.0 is 1: tables that have rows without a number keep all of them as fractions.
    """
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) else None


def _truth(label: str) -> str:
    """JSON and Parquet know true and false, a CSV file has words for them."""
    return low if (low := label.lower()) in ("true", "false") else label
