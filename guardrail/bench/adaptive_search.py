"""A greedy search for a wording that a guard allows, asking it as a black box.

Words are ranked by what leaving each of them out does to the answer, then replaced one after another by the candidate
that moves it most, as TextFooler (Jin et al. 2020) and TextBugger (Li et al. 2019) do; where an answer is a decision
alone, a step that moves nothing is kept by the draw, so that changes add up (as label-only attacks do). Nothing of the
guard is looked into, and nothing of it is trained on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from guardrail.bench.attacks import FAMILIES

__all__ = ["ALLOWED", "Answer", "Found", "Search", "search", "similarity", "words_of"]

ALLOWED = 0
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f"
_MARKS = "\u0300-\u036f\u064b-\u0652\u0900-\u0dff"
# Scripts without spaces in twos of letters: crude, and the same for every row.
_WORD = re.compile(rf"[{_UNSPACED}]{{1,2}}|(?:[{_MARKS}]|(?![{_UNSPACED}])[^\W\d_])+")
# What a text encoder may still read. Codes (base64 and the like) it cannot, and what stands around a prompt is no word.
_OF_A_WORD = tuple(
    name
    for name, family in FAMILIES.items()
    if family.keeps and family.kind != "encoding" and name not in ("glued", "lora", "prompt_switch")
    and not name.startswith("junk")
)  # fmt: skip
MERGED, DELETED = "merged", "deleted"
_MOST_PASSES = 50


class Answer(NamedTuple):
    """What the guard says: lower is nearer to a success. `score` is 0 where the attacker is not told one."""

    action: int
    score: float = 0.0


class _Edit(NamedTuple):
    """`glue`: the gap behind the word goes as well."""

    kind: str
    text: str
    glue: bool = False


_Edits = Mapping[int, _Edit]


@dataclass(frozen=True, slots=True)
class Search:
    """How far a search goes.

    Args:
        queries: at most so many different texts are asked about, the prompt itself not counted.
        least: the least similarity (see `similarity`) that a wording may have.
    """

    queries: int
    least: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        broken_at: how many queries it took to a wording that is allowed; None where none was found.
        kept_at: the same without leaving out a word.
        asked: queries in all.
        text: the wording found: one that leaves no word out if there is one; empty where none was found.
        kinds: of the edits in it.
        similarity: of it to the prompt.
    """

    broken_at: int | None
    kept_at: int | None
    asked: int
    text: str = ""
    kinds: tuple[str, ...] = ()
    similarity: float = 1.0


class _SpentError(Exception):
    """No query is left."""


@dataclass(slots=True)
class _State:
    ask: Callable[[str], Answer]
    words: Sequence[tuple[int, int]]
    prompt: str
    plan: Search
    known: dict[str, Answer] = field(default_factory=dict)
    broken_at: int | None = None
    kept_at: int | None = None
    best: tuple[str, tuple[str, ...], float] = ("", (), 1.0)

    def answer(self, edits: _Edits) -> Answer:
        """Of the prompt so edited; what was asked once is not asked again.

        Raises:
            _SpentError: the queries are used up.
        """
        text = _edited(self.prompt, self.words, edits)
        if text not in self.known:
            if len(self.known) >= self.plan.queries:
                raise _SpentError
            self.known[text] = self.ask(text)
        answer = self.known[text]
        if answer.action == ALLOWED and self.near(edits):
            self._won(text, edits)
        return answer

    def near(self, edits: _Edits) -> bool:
        return similarity(self.prompt, self.words, edits) >= self.plan.least

    def _won(self, text: str, edits: _Edits) -> None:
        kinds = tuple(dict.fromkeys(edit.kind for _, edit in sorted(edits.items())))
        if self.broken_at is None:
            self.broken_at = len(self.known)
            self.best = text, kinds, similarity(self.prompt, self.words, edits)
        if self.kept_at is None and DELETED not in kinds:
            self.kept_at = len(self.known)
            self.best = text, kinds, similarity(self.prompt, self.words, edits)

    def found(self) -> Found:
        return Found(self.broken_at, self.kept_at, len(self.known), *self.best)


def words_of(prompt: str) -> list[tuple[int, int]]:
    """Where the words are: start and end of each."""
    return [match.span() for match in _WORD.finditer(prompt)]


def similarity(prompt: str, words: Sequence[tuple[int, int]], changed: Mapping[int, object]) -> float:
    """The share of the prompt's letters that stand in words left as they were; 1 where nothing was changed.

    It says how much was touched, not whether the picture would still show the same.
    """
    letters = sum(end - start for start, end in words)
    return 1 - sum(words[i][1] - words[i][0] for i in changed) / letters if letters else 1.0


def search(prompt: str, clean: Answer, ask: Callable[[str], Answer], plan: Search, seed: str) -> Found:
    """Look for a wording of a stopped prompt that is allowed.

    The queries go to the ranking first (a quarter of them at most), then to a greedy pass over the words, to leaving
    words out, and to more passes with other draws, until a wording is found that leaves no word out, or none is left.

    Args:
        clean: the answer to the prompt as it is.
        ask: one query.
        seed: decides every draw.
    """
    state = _State(ask, words_of(prompt), prompt, plan)
    try:
        order = _ranked(state, Random(f"{seed}:rank"))  # noqa: S311 - a search, no secret
        for number in range(_MOST_PASSES):
            rng = Random(f"{seed}:{number}")  # noqa: S311
            before = len(state.known)
            _substitute(state, clean, order, rng)
            if state.kept_at is not None:
                break
            if number == 0:
                _leave_out(state, order)
            elif len(state.known) == before:
                break  # nothing new is left to try
            rng.shuffle(order)
    except _SpentError:
        pass
    return state.found()


def _ranked(state: _State, rng: Random) -> list[int]:
    """The words, those first without which the answer is nearest to a success; the longer, then the drawn first where
    it is the same; those that were not asked about last."""
    order = list(range(len(state.words)))
    rng.shuffle(order)
    order.sort(key=lambda i: state.words[i][0] - state.words[i][1])
    most = state.plan.queries // 4
    values = {i: state.answer({i: _Edit(DELETED, "")}) for i in order[:most]}
    return sorted(order[:most], key=values.__getitem__) + order[most:]


def _substitute(state: _State, clean: Answer, order: Sequence[int], rng: Random) -> None:
    """One greedy pass; ends with the first wording that is allowed."""
    edits: dict[int, _Edit] = {}
    now = clean
    for i in order:
        tried: list[tuple[Answer, _Edit]] = []
        for edit in _candidates(state, i, rng):
            if not state.near({**edits, i: edit}):
                break
            tried.append((state.answer({**edits, i: edit}), edit))
            if state.kept_at is not None:
                return
        if not tried:
            continue
        value = min(answer for answer, _ in tried)
        if value <= now:
            # Of those that are as good: one by the draw, so that a decision that does not move still adds up.
            now, edits[i] = rng.choice([pair for pair in tried if pair[0] == value])


def _leave_out(state: _State, order: Sequence[int]) -> None:
    """Words left out one after another, in their order."""
    edits: dict[int, _Edit] = {}
    for i in order:
        if state.near({**edits, i: _Edit(DELETED, "")}):
            edits[i] = _Edit(DELETED, "")
            state.answer(edits)
            if state.broken_at is not None:
                return


def _candidates(state: _State, i: int, rng: Random) -> Iterator[_Edit]:
    """What a word can be replaced by, in an order by the draw, each text once."""
    start, end = state.words[i]
    word = state.prompt[start:end]
    names = list(_OF_A_WORD)
    rng.shuffle(names)
    seen = {word}
    for name in names:
        text = FAMILIES[name](word, rng)
        if text not in seen:
            seen.add(text)
            yield _Edit(name, text)
    if i + 1 < len(state.words) and state.prompt[end : state.words[i + 1][0]].isspace():
        yield _Edit(MERGED, word, glue=True)


def _edited(prompt: str, words: Sequence[tuple[int, int]], edits: _Edits) -> str:
    parts, at = [], 0
    for i, edit in sorted(edits.items()):
        start, end = words[i]
        parts += [prompt[at:start], edit.text]
        at = words[i + 1][0] if edit.glue else end
    text = "".join(parts) + prompt[at:]
    return re.sub(r"  +", " ", text).strip() if any(e.kind == DELETED for e in edits.values()) else text
