"""Adapters in a pipeline: what was loaded into it after its training, and what a check of words cannot see through.

A LoRA, an IP-Adapter or a word learnt by textual inversion can hold a person or a style that no name in the prompt
gives away. They are found in the pipeline's parts at each call, whenever they were loaded, and become the signal
``request.adapters`` and entries in the coverage. Who a private adapter shows is seen by the output check alone, and
only where that person is in the gallery.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardrail.decision import Coverage
from guardrail.keys import Keyring
from guardrail.pipelines.running import INNER

__all__ = ["Adapter", "adapters_of", "used_tokens"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter. `names` are those that the developer gave; they may name a person, and stay in memory.

    Args:
        kind: ``lora``, ``ip-adapter`` or ``textual-inversion``, as in the signal ``request.adapters``.
        part: the component that it is in.
        count: how many there are.
    """

    kind: str
    part: str
    count: int
    names: tuple[str, ...] = ()

    def coverage(self, keyring: Keyring) -> Coverage:
        """For a decision: names as keyed hashes, since decisions go on record."""
        marks = [keyring.fingerprint(n.encode("utf-8", "surrogatepass"), purpose="adapters")[:12] for n in self.names]
        return Coverage(self.kind, self.part, f"{self.count}" + (f": {', '.join(marks)}" if marks else ""))


def adapters_of(pipe: Any) -> tuple[Adapter, ...]:
    """The adapters that are in the parts of a pipeline now, active or fused."""
    found: list[Adapter] = []
    for name, part in _parts(pipe):
        loras = getattr(part, "peft_config", None)
        if isinstance(loras, Mapping) and loras:
            found.append(Adapter("lora", name, len(loras), tuple(sorted(map(str, loras)))))
        projection = getattr(part, "encoder_hid_proj", None)
        layers = getattr(projection, "image_projection_layers", None)
        if layers is not None and len(layers):
            found.append(Adapter("ip-adapter", name, len(layers)))
        elif getattr(part, "image_proj", None) is not None and hasattr(part, "attn_processors"):
            found.append(Adapter("ip-adapter", name, 1))
        if hasattr(pipe, "load_textual_inversion") and (words := _learnt(part)):
            found.append(Adapter("textual-inversion", name, len(words), tuple(sorted(words))))
    # Fused into the weights: no layer tells of it any more, only the pipeline's own note.
    fused = getattr(pipe, "_merged_adapters", None)
    if isinstance(fused, set | frozenset) and fused:
        found.append(Adapter("lora", "fused", len(fused), tuple(sorted(map(str, fused)))))
    return tuple(found)


def used_tokens(adapters: Sequence[Adapter], texts: Sequence[tuple[str, str]]) -> list[Coverage]:
    """Which of the texts, (argument, text), use a word that was learnt by textual inversion.

    Args:
        adapters: what `adapters_of` found.
    """
    words = {word for a in adapters if a.kind == "textual-inversion" for word in a.names}
    # A concept of several vectors is written as its first word; the rest, `word_1`, is put in by the pipeline.
    starts = {re.sub(r"_\d+$", "", w) for w in words} | words
    return [
        Coverage("textual-inversion-token", where, f"{sum(w in text for w in starts)} learnt")
        for where, text in texts
        if any(w in text for w in starts)
    ]


def _parts(pipe: Any) -> Iterator[tuple[str, Any]]:
    # Of a wrapped pipeline those of the one inside.
    bare = getattr(vars(pipe).get(INNER), "pipe", pipe)
    for name, part in vars(bare).items():
        if not name.startswith("_") and not isinstance(part, str | int | float | bool | list | tuple | dict | None):
            yield name, part


def _learnt(part: Any) -> set[str]:
    """Words that were added to a tokenizer and are not special ones of its own."""
    added = getattr(part, "added_tokens_decoder", None)
    if not isinstance(added, Mapping):
        return set()
    return {str(token) for token in added.values() if not getattr(token, "special", False)}
