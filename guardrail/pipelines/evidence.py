"""What is known of a call beyond the texts and pictures in its arguments.

Embeddings and latents of known origin are judged as what they were made from; latents of unknown origin are decoded
with the pipeline's own autoencoder, and the picture is judged; adapters and exchanged parts are named. None of these
texts and pictures can be altered: what a policy would change in them is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrail.decision import Action, Coverage, Reason
from guardrail.errors import InputError, UnsupportedInput
from guardrail.guard import Guard
from guardrail.guard.item import Item
from guardrail.guard.session import Session
from guardrail.media import ImageInput, Request, Role, TextInput
from guardrail.pipelines.adapters import Adapter, adapters_of, used_tokens
from guardrail.pipelines.alignment import shared_arguments
from guardrail.pipelines.arguments import Arguments, Leaf
from guardrail.pipelines.inputs import CallInputs
from guardrail.pipelines.kinds import Kind, is_negative
from guardrail.pipelines.latents import decode_latents
from guardrail.pipelines.placeholders import output_size
from guardrail.pipelines.provenance import Origin, ledger_of
from guardrail.signals import MOST_ITEMS, SignalValue, Stage

__all__ = ["Evidence", "Judged", "judge_call", "origin_of", "stricter"]

_OPAQUE = frozenset({Kind.TEXT_EMBEDDING, Kind.IMAGE_EMBEDDING, Kind.LATENT, Kind.CONDITION_LATENT})
_LATENTS = frozenset({Kind.LATENT, Kind.CONDITION_LATENT})
# What a callback of the user's may hand back, and so replace while the pipeline runs.
_CALLBACKS = ("callback_on_step_end", "callback", "prior_callback_on_step_end")


@dataclass(slots=True)
class Evidence:
    """For one call. Made by `of`, put into its requests by `requests`, taken out again by `settle`."""

    guard: Guard
    texts: list[tuple[int | None, TextInput]] = field(default_factory=list)
    images: list[tuple[int | None, ImageInput]] = field(default_factory=list)
    origins: list[tuple[int | None, Origin]] = field(default_factory=list)
    adapters: tuple[Adapter, ...] = ()
    notes: list[Coverage] = field(default_factory=list)
    own: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        guard: Guard,
        pipe: Any,
        arguments: Arguments,
        inputs: CallInputs,
        *,
        standing: Origin | None = None,
        swapped: Sequence[Coverage] = (),
    ) -> Evidence:
        """Look up or decode what `inputs` could not read. What is known leaves ``inputs.unverified``; a latent that
        cannot be decoded at all becomes one of its faults.

        Args:
            standing: what an earlier `invert` left in the pipeline.
            swapped: parts of the pipeline that are others than when it was put under the guard.
        """
        self = cls(guard, adapters=adapters_of(pipe), notes=list(swapped))
        known: set[str] = set()
        for leaf in inputs.leaves:
            if leaf.kind in _OPAQUE and self._recall(leaf, arguments, inputs):
                known.add(leaf.where)
            elif leaf.kind in _LATENTS:
                self._decode(leaf, pipe, arguments, inputs)
        inputs.unverified = [u for u in inputs.unverified if u.argument not in known]
        if standing is not None:
            self._add(standing, "invert", None, negative=False)
        self.notes += [a.coverage(guard.keyring) for a in self.adapters]
        self.notes += used_tokens(self.adapters, [(t.leaf.where, t.leaf.value) for t in inputs.texts])
        self._note_callbacks(arguments)
        if arguments.values.get("enable_safety_check") is False:
            self.notes.append(Coverage("own-checker-off", "enable_safety_check", "the pipeline's own"))
        return self

    def _recall(self, leaf: Leaf, arguments: Arguments, inputs: CallInputs) -> bool:
        origins = ledger_of(self.guard).find(leaf.value) if hasattr(leaf.value, "ndim") and leaf.value.ndim else None
        if origins is None:
            return False
        count = inputs.count
        negative = is_negative(leaf.argument) and not inputs.turned
        for row, origin in enumerate(origins):
            item = None
            if leaf.kind is Kind.TEXT_EMBEDDING and count > 1:
                given = arguments.values[leaf.argument]
                if len(leaf.path) == 1 and len(origins) == count:
                    item = row
                elif len(leaf.path) == 2 and isinstance(leaf.path[1], int) and len(given) == count:
                    item = leaf.path[1]
            self._add(origin, leaf.where, item, negative=negative)
        return True

    def _add(self, origin: Origin, where: str, item: int | None, *, negative: bool) -> None:
        # The place decides whether words are asked for or avoided, not what they were encoded as.
        self.texts += [(item, replace(t, argument=where, negative=negative)) for t in origin.texts]
        self.images += [(item, replace(i, argument=where)) for i in origin.images]
        if not negative:
            self.origins.append((item, origin))

    def _decode(self, leaf: Leaf, pipe: Any, arguments: Arguments, inputs: CallInputs) -> None:
        """The picture in latents goes to the checks as a reference; the latents stay unverified for the policy."""
        if not hasattr(leaf.value, "ndim") or leaf.value.ndim < 3:
            return
        try:
            height, width = output_size(pipe, arguments, inputs)
            batch = leaf.value if leaf.value.ndim > 3 or hasattr(pipe, "_unpack_latents") else leaf.value[None]
            batch = _on_device(pipe, batch)
            for row in range(len(batch)):
                picture = decode_latents(pipe, batch[row : row + 1], height, width)
                item = row if inputs.count > 1 and len(batch) == inputs.count else None
                self.images.append((item, replace(picture, argument=leaf.where, index=row, role=Role.REFERENCE)))
        except UnsupportedInput as error:
            self.notes.append(Coverage("not-decoded", leaf.where, str(error)))
        except (RuntimeError, ValueError, IndexError):
            # Of a form that the autoencoder does not take: the pipeline would not know either what it is.
            fault: InputError = UnsupportedInput(f"{leaf.where} holds latents that cannot be decoded for a check")
            inputs.faults.append((None, fault))

    def _note_callbacks(self, arguments: Arguments) -> None:
        for name in _CALLBACKS:
            if arguments.values.get(name) is not None:
                detail = "may replace latents and embeddings, and take latents out; the output is judged, "
                detail += "what the callback decodes itself is not"
                self.notes.append(Coverage("callback", name, detail))

    # ---- into the requests, and out again

    def requests(self, requests: Sequence[Request]) -> list[Request]:
        """The requests with what is known added at the end of their texts and images, nothing twice."""
        self.own = [(len(r.texts), len(r.images)) for r in requests]
        kinds = tuple(a.kind for a in self.adapters)
        return [
            replace(
                r,
                texts=(*r.texts, *self._texts_for(index, r)),
                images=(*r.images, *_once(i for item, i in self.images if item in (None, index))),
                adapters=kinds,
            )
            for index, r in enumerate(requests)
        ]

    def _texts_for(self, index: int, request: Request) -> list[TextInput]:
        mine: dict[tuple[str, bool], TextInput] = {}
        for item, text in self.texts:
            if item in (None, index):
                mine.setdefault((text.text, text.negative), text)
        own = {(t.text, t.negative) for t in request.texts}
        return [text for key, text in mine.items() if key not in own]

    def coverage(self) -> list[Coverage]:
        """What cannot be checked, or what checks cannot see through."""
        return list(self.notes)

    def settle(self, items: Sequence[Item]) -> None:
        """After the inputs were judged: refuse what would have to be altered, and leave the call its own inputs."""
        for index, item in enumerate(items):
            texts, images = self.own[index]
            now, then = item.current, item.request
            changed = [a.text != b.text for a, b in zip(now.texts[texts:], then.texts[texts:], strict=True)]
            pairs = zip(now.images[images:], then.images[images:], strict=True)
            changed += [a.frames is not b.frames for a, b in pairs]
            if any(changed) and not item.blocked:
                cause = "what the policy would change is inside an embedding or a latent, and cannot be changed there"
                item.block(item.stage, Reason("action", "", item.stage, Action.BLOCK, cause=cause))
            item.before = item.before | item.due()
            item.current = replace(now, texts=now.texts[:texts], images=now.images[:images])
            for owner, origin in self.origins:
                if owner in (None, index):
                    # As in one call: later stages know what was asked for before it was toned down.
                    item.signals.update(stricter(item.signals, origin.signals))


@dataclass(frozen=True, slots=True)
class Judged:
    """What goes into a call, after its prompt and reference stages.

    Args:
        origins: for each item what was made of it is known by later, with what was recalled from embeddings.
    """

    arguments: Arguments = field(repr=False)
    inputs: CallInputs
    session: Session
    origins: tuple[Origin, ...]


def judge_call(
    guard: Guard,
    pipe: Any,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    standing: Origin | None = None,
    swapped: Sequence[Coverage] = (),
) -> Judged:
    """Judge everything that a method of a pipeline is given. Nothing runs, and nothing is on record yet.

    Args:
        function: the method, unbound.
        standing, swapped: as for `Evidence.of`.

    Raises:
        TypeError: as calling the method would.
    """
    arguments = Arguments(function, pipe, args, kwargs)
    names = " ".join(c.__name__ for c in type(pipe).__mro__)
    inputs = CallInputs.of(arguments, names, guard.limits, shared_arguments(pipe, arguments))
    evidence = Evidence.of(guard, pipe, arguments, inputs, standing=standing, swapped=swapped)
    session = guard.session()
    session.open(evidence.requests(inputs.requests(guard.current_context())))
    for index, error in inputs.faults:
        for item in session.items if index is None else [session.items[index]]:
            if not item.blocked:
                session.refuse(item, error, Stage.REFERENCE)
    for item in session.items:
        item.coverage += [*inputs.coverage(), *evidence.coverage()]
    session.judge_inputs()
    # Before what was recalled is taken out of the requests again.
    origins = tuple(origin_of(item) for item in session.items)
    evidence.settle(session.items)
    return Judged(arguments, inputs, session, origins)


def origin_of(item: Item) -> Origin:
    """What an item was made from, for the ledger: its inputs as altered, and what was said of them as they came in."""
    stages = (Stage.PROMPT.value, Stage.REFERENCE.value)
    signals = {k: v for k, v in item.signals.items() if k.split(".")[0] in stages}
    return Origin(item.current.texts, item.current.images, signals)


def stricter(now: Mapping[str, SignalValue], before: Mapping[str, SignalValue]) -> dict[str, SignalValue]:
    """The signals of `before`, each at least what `now` says; a list that grows too long is missing."""
    merged: dict[str, SignalValue] = {}
    for name, old in before.items():
        new = now.get(name)
        if name not in now:
            merged[name] = old
        elif new is None or old is None:
            merged[name] = None
        elif isinstance(new, tuple) and isinstance(old, tuple):
            both = (*new, *(o for o in old if o not in new))
            merged[name] = both if len(both) <= MOST_ITEMS else None
        elif isinstance(new, bool | int | float) and isinstance(old, bool | int | float):
            merged[name] = max(new, old)
        else:
            merged[name] = new
    return merged


def _once(images: Any) -> list[ImageInput]:
    return list({id(i.frames): i for i in images}.values())


def _on_device(pipe: Any, latents: Any) -> Any:
    import torch

    parameter = next(iter(pipe.vae.parameters()), None) if getattr(pipe, "vae", None) is not None else None
    tensor = latents if torch.is_tensor(latents) else torch.from_numpy(latents)
    return tensor.to(parameter.device) if parameter is not None else tensor
