"""From the arguments of a call to one request per prompt, and back: altered texts and pixels into the arguments.

A list of prompts is a batch; lists of the same length in arguments that hold one entry for each prompt are aligned by
index. What is not aligned, or could be meant otherwise, belongs to every item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from guardrail.decision import Coverage
from guardrail.errors import InputError, UnsupportedInput
from guardrail.guard.item import Item
from guardrail.media import (
    Context,
    ImageInput,
    Limits,
    Request,
    Role,
    TextInput,
    Unverified,
    from_array,
    from_pil,
    put_back,
)
from guardrail.media.arrays import is_pil, is_tensor
from guardrail.pipelines.alignment import is_one_each, is_per_prompt, prompts_in
from guardrail.pipelines.arguments import Arguments, Leaf
from guardrail.pipelines.kinds import Kind, below_zero, channels_first_video, is_avoided, role_of
from guardrail.pipelines.parameters import Holds, held_by

__all__ = ["CallInputs"]

MOST_FRAMES = 1024
"""Of one video that is in memory already. Every one of them is looked at; files have a smaller limit (`Limits`)."""

# Families whose masks are the other way round: what is white stays.
INVERTED_MASKS = ("RePaint",)

_REFUSED = {
    Kind.FILE: "is a path or an address: the guard looks at pixels, so open it first and pass the picture",
    Kind.STREAM: "is an iterator, which can be read only once: pass a list",
}


@dataclass(frozen=True, slots=True)
class _Text:
    leaf: Leaf = field(repr=False)
    text: TextInput
    item: int | None


@dataclass(frozen=True, slots=True)
class _Picture:
    leaf: Leaf = field(repr=False)
    part: int | None
    """Index inside a batch tensor, ``None`` where the leaf is one picture."""
    image: ImageInput
    item: int | None


@dataclass(slots=True)
class CallInputs:
    """What a call contains.

    Attributes:
        pipeline: names of its class and of the classes that it is made of.
        shared: arguments in which a list is not one for each prompt (see `alignment.shared_arguments`).
        count: number of prompts (items).
        leaves: every value of the call, as it came in.
        faults: item index (or ``None`` for all) and why an input cannot be read.
    """

    arguments: Arguments = field(repr=False)
    pipeline: str
    limits: Limits
    shared: frozenset[str] = frozenset()
    count: int = 1
    leaves: tuple[Leaf, ...] = field(default=(), repr=False)
    texts: list[_Text] = field(default_factory=list, repr=False)
    pictures: list[_Picture] = field(default_factory=list, repr=False)
    unverified: list[Unverified] = field(default_factory=list)
    faults: list[tuple[int | None, InputError]] = field(default_factory=list)

    @classmethod
    def of(
        cls, arguments: Arguments, pipeline: str, limits: Limits, shared: frozenset[str] = frozenset()
    ) -> CallInputs:
        """Read the arguments of a call of the class named `pipeline`."""
        self = cls(arguments, pipeline, limits, shared)
        self.leaves = tuple(arguments.leaves())
        self.count = prompts_in(arguments, self.leaves)
        for leaf in self.leaves:
            self._take(leaf)
        return self

    def _take(self, leaf: Leaf) -> None:
        if leaf.kind is Kind.TEXT:
            number = len(self.texts)
            text = TextInput(leaf.value, leaf.where, number, self._is_avoided(leaf))
            self.texts.append(_Text(leaf, text, self._item(leaf, text_argument=True)))
        elif leaf.kind is Kind.IMAGE:
            self._take_picture(leaf)
        elif leaf.kind in _REFUSED:
            error = UnsupportedInput(f"{leaf.where} {_REFUSED[leaf.kind]}")
            self.faults.append((self._item(leaf, text_argument=False), error))
        elif leaf.kind is not Kind.PLAIN:
            self.unverified.append(Unverified(leaf.kind.value, leaf.where, _shape(leaf.value)))

    def _is_avoided(self, leaf: Leaf) -> bool:
        return is_avoided(leaf.argument) and not self.turned

    @property
    def turned(self) -> bool:
        """Whether a guidance scale is below zero: it turns what is to be avoided into what is asked for."""
        return any(
            below_zero(value)
            for name, value in self.arguments.values.items()
            if ("guidance" in name or "cfg" in name) and held_by(name) in (Holds.SETTING, None)
        )

    def _take_picture(self, leaf: Leaf) -> None:
        item = self._item(leaf, text_argument=False)
        role = role_of(leaf.argument)
        if role is Role.MASK and any(word in self.pipeline for word in INVERTED_MASKS):
            role = Role.KEEP
        try:
            if is_pil(leaf.value):
                image = from_pil(leaf.value, argument=leaf.where, role=role, limits=self.limits)
                self.pictures.append(_Picture(leaf, None, image, item))
                return
            limits = replace(self.limits, frames=max(self.limits.frames, MOST_FRAMES))
            for part, array in _split(leaf.value, role):
                image = from_array(array, argument=leaf.where, role=role, limits=limits)
                mine = part if part is not None and self._aligned(leaf.argument, len(leaf.value)) else item
                self.pictures.append(_Picture(leaf, part, image, mine))
        except InputError as error:
            self.faults.append((item, error))

    def _item(self, leaf: Leaf, *, text_argument: bool) -> int | None:
        """Which item a leaf belongs to; ``None``: to all."""
        value = self.arguments.values[leaf.argument]
        listed = len(leaf.path) > 1 and isinstance(leaf.path[1], int) and isinstance(value, list | tuple)
        if self.count == 1:
            return 0
        if not listed or len(value) != self.count:
            return None
        aligned = is_per_prompt(leaf.argument) if text_argument else self._aligned(leaf.argument, len(value))
        return int(leaf.path[1]) if aligned else None

    def _aligned(self, argument: str, length: int) -> bool:
        return length == self.count > 1 and is_one_each(argument, self.pipeline, self.shared)

    # ---- requests

    def requests(self, context: Context) -> list[Request]:
        """One request per item."""
        return [
            Request(
                tuple(t.text for t in self._texts_of(i)),
                tuple(p.image for p in self._pictures_of(i)),
                unverified=tuple(self.unverified),
                context=context,
            )
            for i in range(self.count)
        ]

    def coverage(self) -> list[Coverage]:
        """What could not be read."""
        return [Coverage(u.kind, u.argument, u.detail) for u in self.unverified]

    def _texts_of(self, item: int) -> list[_Text]:
        return [t for t in self.texts if t.item in (None, item)]

    def _pictures_of(self, item: int) -> list[_Picture]:
        return [p for p in self.pictures if p.item in (None, item)]

    # ---- back into the arguments

    def altered(self, items: Sequence[Item], blanked: Sequence[int] = ()) -> Arguments:
        """Arguments with every alteration of `items` put in, and the items in `blanked` made empty.

        An empty prompt and a grey picture stand in for what is blocked: measured, the other items of the batch come
        out bit-identical, which dropping the item does not give with a single generator.
        """
        arguments = self.arguments.copy()
        for index, item in enumerate(items):
            for mine, new in zip(self._texts_of(index), item.current.texts, strict=True):
                if new.text != mine.text.text:
                    arguments.replace(mine.leaf.path, new.text)
        self._put_pictures(arguments, items, blanked)
        for index in blanked:
            for mine in self._texts_of(index):
                if mine.item == index:
                    arguments.replace(mine.leaf.path, "")
        return arguments

    def _put_pictures(self, arguments: Arguments, items: Sequence[Item], blanked: Sequence[int]) -> None:
        changed: dict[int, Sequence[Any]] = {}
        for index, item in enumerate(items):
            for mine, new in zip(self._pictures_of(index), item.current.images, strict=True):
                place = next(k for k, p in enumerate(self.pictures) if p is mine)
                if new.frames is not mine.image.frames:
                    changed[place] = new.frames
                if index in blanked and mine.item == index:
                    changed[place] = tuple(_grey(f) for f in mine.image.frames)
        for leaf in dict.fromkeys(self.pictures[k].leaf for k in changed):
            parts = [(k, p) for k, p in enumerate(self.pictures) if p.leaf is leaf]
            if parts[0][1].part is None:
                arguments.replace(leaf.path, put_back(leaf.value, changed[parts[0][0]]))
                continue
            whole = _copied(leaf.value)
            for k, p in parts:
                if k not in changed:
                    continue
                old = leaf.value[p.part]
                if channels_first_video(leaf.value):
                    whole[p.part] = _frames_first(put_back(_frames_first(old), changed[k]))
                else:
                    whole[p.part] = put_back(old, changed[k])
            arguments.replace(leaf.path, whole)

    def single(self, items: Sequence[Item], index: int) -> Arguments:
        """Arguments for one item alone: alterations in, batches cut to it, starting noise left to the generator."""
        arguments = self.altered(items)
        for name in list(arguments.values):
            value = arguments.values[name]
            if name in ("latents", "generator"):
                del arguments.values[name]
            elif self.count > 1 and isinstance(value, list | tuple) and len(value) == self.count:
                if is_per_prompt(name) or self._aligned(name, len(value)):
                    arguments.values[name] = type(value)([value[index]])
            elif self.count > 1 and hasattr(value, "shape") and value.ndim >= 2 and value.shape[0] == self.count:
                arguments.values[name] = value[index : index + 1]
        return arguments


def _split(value: Any, role: Role) -> list[tuple[int | None, Any]]:
    """A batch of pictures or videos as single ones; one picture, or one video of 4 dimensions, as it is."""
    if value.ndim == 5:
        first = channels_first_video(value)
        return [(i, _frames_first(value[i]) if first else value[i]) for i in range(len(value))]
    if value.ndim == 4 and role is not Role.VIDEO:
        return [(i, value[i]) for i in range(len(value))]
    return [(None, value)]


def _frames_first(video: Any) -> Any:
    """(C, T, H, W) as (T, C, H, W), and the other way round: a view."""
    return video.swapaxes(0, 1)


def _grey(frame: Any) -> Any:
    return np.full_like(frame, 127)


def _copied(value: Any) -> Any:
    return value.clone() if is_tensor(value) else value.copy()


def _shape(value: Any) -> str:
    if hasattr(value, "shape"):
        return "×".join(str(int(n)) for n in value.shape)
    return type(value).__name__
