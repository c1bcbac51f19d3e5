"""Where embeddings and latents came from: a bounded memory of what guarded encoders and pipelines handed out.

An embedding says nothing that a check could read. But where it was made under the guard, the text or picture that it
was made from is known, and a later call that brings it back is judged on that. What is kept per tensor is a keyed hash
(HMAC-SHA256) over shape, dtype and the exact bytes, of the whole and of each row of its batch: slices, repeats and
concatenations of whole rows are known, on any device. Arithmetic (weighting, averaging, interpolation) and a change of
dtype make another tensor, which is unknown.

The texts and pictures themselves are held in memory, so that they are judged anew by the policy and the context of the
later call; they are never written anywhere, do not travel in pickles, and are forgotten oldest first.
"""

from __future__ import annotations

import ast
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from guardrail.guard import Guard
from guardrail.keys import Keyring
from guardrail.media import ImageInput, TextInput
from guardrail.media.arrays import is_array, is_tensor
from guardrail.pipelines.kinds import is_negative
from guardrail.pipelines.sources import returned_values
from guardrail.signals import SignalValue

__all__ = ["Ledger", "Origin", "ledger_of", "register", "returned_names"]

MOST_TENSORS = 8192
MOST_BYTES = 64 << 20
"""Of texts and pictures held for one guard; twenty pictures of 1024×1024 pixels."""
DEEPEST = 4


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What a tensor was made from.

    Args:
        texts: as they were encoded, after any rewriting.
        images: as they were encoded, after any covering.
        signals: what the checks said of both as they came in.
    """

    texts: tuple[TextInput, ...] = field(default=(), repr=False)
    images: tuple[ImageInput, ...] = field(default=(), repr=False)
    signals: Mapping[str, SignalValue] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """In bytes, about."""
        pictures = sum(int(np.asarray(f).nbytes) for i in self.images for f in i.frames)
        return 256 + pictures + 4 * sum(len(t.text) for t in self.texts)


class Ledger:
    """Tensors and their origins; the least recently used are forgotten. Safe to use from several threads.

    Args:
        keyring: whose key the hashes are made with.
    """

    def __init__(self, keyring: Keyring, *, tensors: int = MOST_TENSORS, size: int = MOST_BYTES) -> None:
        self._keyring = keyring
        self._most, self._most_bytes = tensors, size
        self._origins: OrderedDict[str, Origin] = OrderedDict()
        self._uses: dict[int, int] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, tensor: Any, rows: Sequence[Origin], whole: Origin | None = None) -> None:
        """Remember a tensor (B, …) by its rows, one origin each, and as a whole where `whole` is given."""
        marks = [(self._mark(tensor[i]), origin) for i, origin in enumerate(rows)]
        if whole is not None:
            marks.append((self._mark(tensor), whole))
        with self._lock:
            for mark, origin in marks:
                self._forget(mark)
                self._origins[mark] = origin
                uses = self._uses.get(id(origin), 0)
                self._uses[id(origin)] = uses + 1
                self._bytes += 0 if uses else origin.size
            while self._origins and (len(self._origins) > self._most or self._bytes > self._most_bytes):
                self._forget(next(iter(self._origins)))

    def find(self, tensor: Any) -> tuple[Origin, ...] | None:
        """The origins of a tensor: one where the whole is known, else one for each row; ``None`` if any is unknown."""
        whole = self._look(self._mark(tensor))
        if whole is not None:
            return (whole,)
        if tensor.ndim < 2 or not len(tensor):
            return None
        found = [self._look(self._mark(tensor[i])) for i in range(len(tensor))]
        known = tuple(o for o in found if o is not None)
        return known if len(known) == len(found) else None

    def _look(self, mark: str) -> Origin | None:
        with self._lock:
            origin = self._origins.get(mark)
            if origin is not None:
                self._origins.move_to_end(mark)
            return origin

    def _forget(self, mark: str) -> None:
        origin = self._origins.pop(mark, None)
        if origin is None:
            return
        self._uses[id(origin)] -= 1
        if not self._uses[id(origin)]:
            del self._uses[id(origin)]
            self._bytes -= origin.size

    def _mark(self, tensor: Any) -> str:
        shape = "×".join(str(int(n)) for n in tensor.shape)
        if is_tensor(tensor):
            import torch

            flat = tensor.detach().cpu().contiguous().reshape(-1)
            content = flat.view(torch.uint8).numpy().tobytes()
            kind = str(tensor.dtype).removeprefix("torch.")
        else:
            content, kind = np.ascontiguousarray(tensor).tobytes(), str(tensor.dtype)
        return self._keyring.fingerprint(f"{kind} {shape} ".encode() + content, purpose="provenance")


_ledgers: weakref.WeakKeyDictionary[Guard, Ledger] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def ledger_of(guard: Guard) -> Ledger:
    """The ledger of a guard: all pipelines under it share one, and it ends with the guard."""
    with _making:
        return _ledgers.setdefault(guard, Ledger(guard.keyring))


def register(ledger: Ledger, function: Any, result: Any, origins: Sequence[Origin]) -> None:
    """Remember every tensor in what an encoder returned.

    Args:
        function: the encoder, or ``None``. Which of its results hold what is to be avoided is told by their names in
            its source; where there are none, every result is of all texts.
        origins: one for each item that it was given. Rows are theirs in order, as many for each; where the number
            does not come out even, and where negative and positive texts cannot be told apart, all count for all.
    """
    names = returned_names(function)
    together = Origin(
        tuple(t for o in origins for t in o.texts),
        tuple(i for o in origins for i in o.images),
        origins[0].signals if len(origins) == 1 else {},
    )
    several = isinstance(result, tuple) and not hasattr(result, "keys") and len(result) == len(names)
    parts = list(zip(names, result, strict=True)) if several else [(names[0] if len(names) == 1 else "", result)]
    for name, part in parts:
        for tensor, field_name, place in _tensors(part, name, 0):
            side = _sides(field_name)
            own = [_one_side(o, side) for o in origins]
            if place is not None and place[1] == len(own):
                ledger.add(tensor, (), own[place[0]])
            elif place is None and tensor.ndim >= 2 and len(tensor) and len(tensor) % len(own) == 0:
                each = len(tensor) // len(own)
                rows = [own[i // each] for i in range(len(tensor))]
                ledger.add(tensor, rows, own[0] if len(own) == 1 else None)
            elif tensor.ndim >= 2:
                merged = _one_side(together, side)
                ledger.add(tensor, [merged] * len(tensor), merged)


def _sides(name: str) -> str:
    """Which texts are in a result of that name: ``negative``, ``positive``, or empty for all of them."""
    return ("negative" if is_negative(name) or "uncond" in name else "positive") if name else ""


def _one_side(origin: Origin, side: str) -> Origin:
    if not side or (side == "positive" and not any(t.negative for t in origin.texts)):
        return origin
    texts = tuple(t for t in origin.texts if t.negative == (side == "negative"))
    return Origin(texts, origin.images if side == "positive" else (), origin.signals if side == "positive" else {})


def _tensors(value: Any, name: str, depth: int) -> Iterator[tuple[Any, str, tuple[int, int] | None]]:
    """(tensor, name, place in a list or None) of every floating tensor in a result."""
    if is_array(value):
        floating = value.dtype.is_floating_point if is_tensor(value) else value.dtype.kind == "f"
        if floating and value.ndim:
            yield value, name, None
    elif depth < DEEPEST and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, str(key), depth + 1)
    elif depth < DEEPEST and isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            for tensor, inner_name, place in _tensors(inner, name, depth + 1):
                # A list of sequences of different length, one for each prompt; (B, …) tensors keep their own rows.
                yield tensor, inner_name, place or ((i, len(value)) if tensor.ndim == 2 else None)


@lru_cache(maxsize=256)
def returned_names(function: Any) -> tuple[str, ...]:
    """The names in ``return prompt_embeds, negative_prompt_embeds`` of a function; empty where there are none."""
    found: set[tuple[str, ...]] = set()
    for value in returned_values(function):
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        found.add(tuple(p.id if isinstance(p, ast.Name) else "" for p in parts))
    return found.pop() if len(found) == 1 else ()
