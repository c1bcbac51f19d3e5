"""What was asked for, and what it lets be said about every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guardrail.bench.data import Columns, Labels
from guardrail.bench.files import DataError
from guardrail.bench.peers.base import Kind

__all__ = ["Hub", "PeerPlan", "hub_of", "named_files"]


@dataclass(frozen=True, slots=True)
class Hub:
    """A model folder that the user has: `name` in the report, and which of its labels mean sexual content."""

    name: str
    folder: Path
    unsafe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """What to measure.

    Args:
        kind: which peers: of prompts, of pictures, or engines of policies.
        data: files of prompts, or folders of pictures; nothing for engines, whose cases are made.
        split: of prompts, the only one to read of data that have several; empty for all.
        policy: guardrail's own, as `Guard` takes it.
        limit: at most so many rows, evenly spread; for engines so many cases.
        seed: of the training rows, of the solvers and of the cases.
        train: files that the trained peers learn from; none are left out where there are none.
        train_rows: at most so many harmless rows of them, drawn with `seed`; all that ought to be blocked.
        hub: models of the user's own.
        word_lists: (name, file with a term a line).
        only: names of peers; empty for all that need not be asked for.
        also: names of peers that run only where they are asked for.
        published: the table of what others measured.
        fresh: begin anew where there are samples already.
        keep_text: results.jsonl holds the prompts too.
        command: how this was called.
    """

    kind: Kind
    data: Sequence[Path] = ()
    policy: str = "default"
    columns: Columns = field(default_factory=Columns)
    labels: Labels = field(default_factory=Labels)
    limit: int | None = None
    seed: int = 1
    train: Sequence[Path] = ()
    train_rows: int = 20_000
    hub: Sequence[Hub] = ()
    word_lists: Sequence[tuple[str, Path]] = ()
    only: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    published: Path | None = None
    fresh: bool = False
    keep_text: bool = False
    command: str = ""
    split: str = ""

    def wants(self, name: str, *, asked: bool) -> bool:
        """Whether a peer is to run; `asked`: only where it is named."""
        return name in self.also or (name in self.only if self.only else not asked)


def hub_of(pairs: Sequence[str], unsafe: Sequence[str] = ()) -> list[Hub]:
    """From ``NAME=FOLDER``, and ``NAME=LABEL,LABEL`` for what means sexual content.

    Raises:
        DataError: one is not written so, or a label is given to no model.
    """
    labels = {name: tuple(word.strip() for word in text.split(",")) for name, text in _pairs(unsafe, "--hub-unsafe")}
    models = [Hub(name, Path(folder), labels.pop(name, ())) for name, folder in _pairs(pairs, "--hub")]
    if labels:
        raise DataError(f"--hub-unsafe {min(labels)}=…: there is no --hub {min(labels)}=FOLDER")
    return models


def named_files(pairs: Sequence[str], option: str) -> list[tuple[str, Path]]:
    """From ``NAME=FILE``.

    Raises:
        DataError: one is not written so.
    """
    return [(name, Path(path)) for name, path in _pairs(pairs, option)]


def _pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    made: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise DataError(f"{option} {text!r}: write NAME=VALUE")
        if name.strip() in made:
            raise DataError(f"{option}: {name.strip()} is given twice")
        made[name.strip()] = value.strip()
    return list(made.items())
