"""Texts that a pipeline makes up itself: what is encoded is judged, not only what the caller wrote.

Some pipelines let a language model rewrite the prompt inside their call (Flux2, LTX2, Ernie, LongCat, Ideogram4,
Kandinsky6, blocks of modular ones). Whatever they do, words reach a text encoder through a tokenizer. While a run goes
on, the tokenizers of the pipeline are watched, and each string is compared with the texts of the call that were judged.
A string is accounted for if it is one of them, or one of them inside a template of diffusers' own: what is around it
must be a literal of the pipeline's source or of the chat template, word for word. Any other string is judged as a
prompt before the tokenizer reads it.

What is found counts together with all that was said of the request: the name that was typed and the words that were
added to it are one request. A text that the policy would change cannot be changed in the middle of a run: it is
refused.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from guardrail.actions.hints import AVOID
from guardrail.decision import Action, Alteration, Coverage, Reason, Stage
from guardrail.errors import InputError
from guardrail.guard.item import Item
from guardrail.guard.session import Session
from guardrail.media import TextInput
from guardrail.pipelines.arguments import Arguments, signature_of
from guardrail.pipelines.evidence import stricter
from guardrail.pipelines.kinds import Kind, is_avoided
from guardrail.pipelines.provenance import Origin
from guardrail.pipelines.steps.hosts import pipelines
from guardrail.pipelines.steps.tap import tapped
from guardrail.pipelines.steps.watch import GuardStop
from guardrail.pipelines.templates import is_template, normal, parts_of

__all__ = ["Rewriting", "tokenizers_of"]

# Not `tokenize`: what asks for it looks words up, and hands the text on to one of these.
METHODS = ("__call__", "encode")
# Of a tokenizer, what holds texts; anything else are switches.
_TEXTS = ("text", "text_pair", "text_target", "text_pair_target", "pair")
POLICY_LIMIT_S = 1.0
# Py_TPFLAGS_HEAPTYPE: classes made at run time, whose objects may be given another class.
_HEAP_TYPE = 1 << 9
_STEERED = frozenset(normal(phrase) for phrases in AVOID.values() for phrase in (*phrases, ", ".join(phrases)))
"""What hints steer away from, as the guard itself puts it into negative prompts."""


@dataclass(slots=True, eq=False)
class Rewriting:
    """The texts of one call on their way to the encoders.

    Attributes:
        found: item → texts that the pipeline made of its prompt, all of them judged.
    """

    pipe: Any
    session: Session
    found: dict[int, list[TextInput]] = field(default_factory=dict)
    _members: Sequence[int] = ()
    _asked: frozenset[str] = frozenset()
    _exact: frozenset[str] = frozenset()
    _stop: GuardStop | None = None

    @contextlib.contextmanager
    def run(self, arguments: Arguments, members: Sequence[int]) -> Iterator[None]:
        """Look on while the block generates from `arguments` for these items.

        Raises:
            GuardStop: every one of them was refused by what the pipeline made of its prompt; `ended` tells.
        """
        self._members, self._stop = members, None
        self._asked, self._exact = _judged(arguments)
        tokenizers, opaque = tokenizers_of(self.pipe)
        if self._asked:
            for name in opaque:
                self._note(members, Coverage("text-not-followed", name, "what it encodes cannot be watched"))
        with tapped(tokenizers, self._look, METHODS):
            yield

    def ended(self, error: GuardStop) -> bool:
        """Whether an exception is how the last run was ended."""
        return error is self._stop

    def origin(self, index: int, origin: Origin) -> Origin:
        """What an item was made from, with what the pipeline made of its prompt."""
        if index not in self.found:
            return origin
        signals = stricter(self.session.items[index].signals, origin.signals)
        return Origin((*origin.texts, *self.found[index]), origin.images, signals)

    # ---- at a tokenizer

    def _look(self, tokenizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._stop is not None:
            # Somebody caught it and went on.
            raise self._stop
        for given in (*args[:2], *(kwargs[n] for n in _TEXTS if n in kwargs)):
            texts = list(_strings(given))
            each = isinstance(given, list | tuple) and len(given) == len(texts) == len(self.session.items)
            for place, text in enumerate(texts):
                if not self._accounted(text, tokenizer):
                    self._judge(text, [place] if each else self._owners(text))
        if all(self.session.items[i].blocked for i in self._members):
            self._stop = GuardStop()
            raise self._stop

    def _accounted(self, text: str, tokenizer: Any) -> bool:
        plain = normal(text)
        if not plain or plain in self._exact or plain in self._asked:
            return True
        if len(plain) == 1 and any(plain in asked for asked in self._asked):
            # What is to be written in a picture is read letter by letter. Longer parts can mean something else.
            return True
        rest = plain
        for asked in sorted(self._asked | self._exact, key=len, reverse=True):
            # A word or two could stand anywhere; then the string is judged as a whole.
            rest = rest.replace(asked, "\0") if len(asked) > 2 else rest
        template = getattr(tokenizer, "chat_template", None)
        spoken = parts_of(template, jinja=True) if isinstance(template, str) else frozenset()
        marks = frozenset(normal(mark) for mark in getattr(tokenizer, "all_special_tokens", ()))
        pieces = (piece for part in rest.split("\0") for piece in parts_of(part, marks=marks - {""}))
        return all(piece in spoken or is_template(self.pipe, piece) for piece in pieces)

    def _owners(self, text: str) -> Sequence[int]:
        """Whose text it is where prompts are gone through one by one: told by the prompt in it, else everybody's."""
        plain = normal(text)
        texts = {i: [normal(t.text) for t in self.session.items[i].current.texts] for i in self._members}
        mine = [i for i, own in texts.items() if any(len(t) > 2 and t in plain for t in own)]
        return mine or self._members

    # ---- judging

    def _judge(self, text: str, items: Sequence[int]) -> None:
        for index in items:
            item = self.session.items[index]
            if index in self._members and not item.blocked:
                made = TextInput(text, "rewritten prompt", len(self.found.get(index, ())))
                self._judge_for(item, index, made)
        self._asked |= {normal(text)}

    def _judge_for(self, item: Item, index: int, made: TextInput) -> None:
        self.found.setdefault(index, []).append(made)
        self._note([index], Coverage("rewritten-prompt", "", "made by the pipeline; judged before it was encoded"))
        try:
            made.within(self.session.parts.limits)
        except InputError as error:
            self.session.refuse(item, error)
            return
        judge = self.session.parts.judge
        looked = item.fork(item.image_index)
        looked.current = replace(item.current, texts=(*item.current.texts, made))
        ((verdict, found),) = judge.stage([looked], Stage.PROMPT)
        if not looked.blocked and any(spec.kind in judge.actions and _changes(spec.kind) for spec in verdict.specs):
            cause = "the pipeline rewrote the prompt, and what the policy would change cannot be changed any more"
            looked.block(Stage.PROMPT, Reason("action", "", Stage.PROMPT, Action.BLOCK, cause=cause))
        for spec in verdict.specs:
            if spec.kind == "guide" and not any(a.kind == "guide" for a in item.alterations):
                detail = "asked for by what the pipeline made of the prompt, when it was running already"
                item.alterations.append(Alteration("guide", Stage.PROMPT, "inactive", detail, params=dict(spec.params)))
        item.signals = stricter(item.signals, {**item.signals, **found.signals})
        if not looked.blocked:
            self._judge_together(looked, item)
        item.reasons = list(dict.fromkeys([*item.reasons, *looked.reasons]))
        item.labels, item.reports, item.coverage = looked.labels, looked.reports, looked.coverage
        item.effective, item.timings_ms = looked.effective, looked.timings_ms
        if looked.action.rank > item.action.rank:
            item.action, item.stage, item.messages = looked.action, looked.stage, looked.messages

    def _judge_together(self, looked: Item, item: Item) -> None:
        """Ask the policy once more: what was typed and altered before counts beside what was made of it.

        Stages that had run are asked as well, since a rule of theirs may read the words.
        """
        engine = self.session.parts.judge.engine
        for stage in (Stage.PROMPT, Stage.REFERENCE):
            if stage not in item.ran:
                continue
            try:
                verdict = engine.evaluate(
                    item.signals, stage=stage, due=item.due(), deadline=time.monotonic() + POLICY_LIMIT_S
                )
            except Exception as error:  # noqa: BLE001 - whatever an engine raises, the answer is no
                cause = f"engine error: {type(error).__name__}"
                looked.block(stage, Reason("engine", "", stage, Action.BLOCK, cause=cause))
                return
            if verdict.action is Action.BLOCK:
                looked.note(verdict, stage)
                looked.messages = engine.messages(looked.reasons)
                return

    def _note(self, members: Sequence[int], note: Coverage) -> None:
        for index in members:
            item = self.session.items[index]
            if note not in item.coverage:
                item.coverage.append(note)


def _changes(kind: str) -> bool:
    """Whether an action changes what goes in; hints, labels and reports do not."""
    return kind not in ("guide", "regenerate", "label", "report", "block")


def _judged(arguments: Arguments) -> tuple[frozenset[str], frozenset[str]]:
    """The texts of a run: those that ask for something, and those that count only as a whole.

    The second are words to be avoided, defaults of the signature, and the phrases that hints steer away from.
    """
    asked: set[str] = set()
    exact = {*_STEERED, *_defaults(arguments.call)}
    for leaf in arguments.leaves():
        if leaf.kind is Kind.TEXT and (text := normal(leaf.value)):
            (exact if is_avoided(leaf.argument) else asked).add(text)
    return frozenset(asked), frozenset(exact - {""})


@functools.lru_cache(maxsize=64)
def _defaults(call: Any) -> frozenset[str]:
    parameters = signature_of(call).parameters.values()
    return frozenset(normal(text) for p in parameters for text in _strings(p.default))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def tokenizers_of(pipe: Any) -> tuple[list[Any], tuple[str, ...]]:
    """The tokenizers of a pipeline and of those inside it; and names of what seems to be one and cannot be watched."""
    found: list[Any] = []
    opaque: list[str] = []
    for inner in pipelines(pipe):
        for name, part in vars(inner).items():
            if name.startswith("_") or isinstance(part, str | bytes | int | float | list | tuple | dict | None):
                continue
            # A processor for pictures and texts has one inside.
            held = part if _reads_text(part) else getattr(part, "tokenizer", None) if "process" in _kind(part) else None
            held = held if held is not None or "tokenizer" not in name else part
            if held is None:
                continue
            inside = getattr(held, "tokenizer", None)
            held = inside if inside is not None and _reads_text(inside) else held
            if _reads_text(held) and _exchangeable(cast(Any, type(held))):
                found.append(held)
            else:
                opaque.append(name)
    return found, tuple(opaque)


def _kind(part: Any) -> str:
    return type(part).__name__.lower()


def _reads_text(part: Any) -> bool:
    return hasattr(part, "convert_tokens_to_ids") and (callable(part) or hasattr(part, "encode"))


@functools.lru_cache(maxsize=64)
def _exchangeable(kind: Any) -> bool:
    """Whether objects of a class can be given a subclass: those made in Python can, if they have a ``__dict__``."""
    return bool(kind.__flags__ & _HEAP_TYPE) and kind.__dictoffset__ != 0 and kind.__weakrefoffset__ != 0
