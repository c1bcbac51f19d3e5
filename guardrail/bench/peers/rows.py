"""The rows of each kind as items: prompts, pictures, requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256 as new_sha256
from typing import Any, NamedTuple

from guardrail.bench.data import Labels, Row, Survey, rows, survey
from guardrail.bench.data_facts import data_facts, picture_facts, told_data
from guardrail.bench.files import DataError, sha256
from guardrail.bench.peers.cases import CASES, CONDITIONS, Case, cases
from guardrail.bench.peers.judging import Item
from guardrail.bench.peers.learned import fold
from guardrail.bench.peers.plan import PeerPlan
from guardrail.bench.pictures import Picture, numbered, picture_folders, pictures

__all__ = ["EVERYTHING", "Rows", "rows_of"]

EVERYTHING = "*"
"""As a harmless label: every label that is not to be blocked."""


class Rows(NamedTuple):
    """What is measured.

    Attributes:
        total: how many there will be.
        data: what they are of, for run.json; `told` in words.
        groups, texts: of prompts, so that nothing is learned from them.
    """

    items: Iterator[Item]
    total: int
    data: dict[str, Any]
    told: list[tuple[str, str]]
    groups: frozenset[str] = frozenset()
    texts: frozenset[bytes] = frozenset()


def rows_of(plan: PeerPlan) -> Rows:
    """Raises DataError where the data cannot be used."""
    if plan.split and plan.kind != "text":
        raise DataError("--split chooses among prompts: leave it out")
    if plan.kind == "engine":
        if plan.data:
            raise DataError("engines are asked about cases made from --seed: leave --data out")
        total = plan.limit or CASES
        told = [("data", f"{total:,} requests made from the seed {plan.seed}")]
        return Rows(_cases(total, plan.seed), total, {"made_from_seed": plan.seed, "rows": total}, told)
    if not plan.data:
        raise DataError("give what to measure on: --data FILE for prompts, --data FOLDER for pictures")
    return _prompts(plan) if plan.kind == "text" else _pictures(plan)


def _prompts(plan: PeerPlan) -> Rows:
    found = survey(plan.data, plan.columns, plan.labels, plan.split)
    groups, texts = set(), set()
    if plan.train:
        for row in rows(found, plan.columns, plan.labels, plan.limit):
            groups.add(row.group)
            texts.add(fold(row.text))
    return Rows(
        _prompt_items(found, plan),
        found.rows if plan.limit is None else min(plan.limit, found.rows),
        data_facts(found, plan.columns, plan.labels, plan.limit),
        told_data(found, plan.limit),
        frozenset(groups - {""}),
        frozenset(texts),
    )


def _prompt_items(found: Survey, plan: PeerPlan) -> Iterator[Item]:
    for row in rows(found, plan.columns, plan.labels, plan.limit):
        told, shown = _told(row.name, row.role, row.label), found.unnamed(row)
        told |= {"lang": row.lang, "source": row.source, "attack": row.attack}
        told |= {"group": shown.group, "pair": shown.pair}
        if plan.keep_text:
            told["text"] = row.text
        yield Item(told, partial(_text, row))


def _text(row: Row) -> str:
    return row.text


def _told(name: str, role: str, label: str) -> dict[str, Any]:
    return {
        "id": name, "role": role, "label": label, "lang": "", "source": "", "attack": "", "group": "", "pair": "",
    }  # fmt: skip


def _pictures(plan: PeerPlan) -> Rows:
    found = pictures(plan.data)
    total = len(found)
    # A folder that the labels speak of was named by the user; another may have the name of a person.
    said = {p.group for p in found if plan.labels.role(p.group) is not None}
    shown = numbered(found, plan.data, said)
    if plan.limit is not None and len(found) > plan.limit:
        found, shown = _spread(found, plan.limit), _spread(shown, plan.limit)
    labelled = [(p, p.category or p.group) for p in shown]
    roles = [_role(plan.labels, p.category or p.group) for p in found]
    digests = [sha256(p.path) for p, _ in labelled]
    return Rows(
        _picture_items(labelled, roles, digests),
        len(labelled),
        picture_facts(picture_folders(plan.data)) | {"sha256": _together(digests), "limit": plan.limit},
        [("data", f"{len(labelled):,} of {total:,} pictures in {', '.join(map(str, plan.data))}")],
    )


def _together(digests: Sequence[str]) -> str:
    """One hash of all files, whatever they are called."""
    return new_sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _spread(found: Sequence[Picture], limit: int) -> list[Picture]:
    return [found[i * len(found) // limit] for i in range(limit)]


def _role(labels: Labels, label: str) -> str:
    role = labels.role(label)
    if role is None and EVERYTHING in labels.benign:
        return "benign"
    if role is None:
        raise DataError(
            f"nobody said what the label {label!r} means (the category in a csv, else the folder): say it with "
            f"--block, --benign or --other; --benign '{EVERYTHING}' for all that are not to be blocked"
        )
    return role


def _picture_items(
    labelled: Sequence[tuple[Picture, str]], roles: Sequence[str], digests: Sequence[str]
) -> Iterator[Item]:
    from guardrail.media.read import read_image

    def pixels(picture: Picture) -> Any:
        return next(iter(read_image(picture.path).views()))[1]

    for (picture, label), role, digest in zip(labelled, roles, digests, strict=True):
        # By its content: a file's name may be that of a person.
        yield Item(_told(digest[:16], role, label) | {"source": picture.group}, partial(pixels, picture))


def _same(case: Case) -> Case:
    return case


def _cases(total: int, seed: int) -> Iterator[Item]:
    for case in cases(total, seed):
        told = _told(case.id, "other", case.kind) | {"source": CONDITIONS[case.condition].name}
        yield Item(told, partial(_same, case))
