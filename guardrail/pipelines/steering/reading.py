"""What the text encoders of a pipeline read: the tokens of each call of them, and the same with words left out.

A hook on each encoder sees the token ids that the pipeline's own tokenizers made, cut and padded as it does. The same
hook leaves words out: the tokens behind move up, and padding follows. It acts for the thread or task that asked only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FAMILIES", "Reading", "TextPart", "text_parts", "unreadable"]

FAMILIES: Mapping[str, str] = {
    "clip": "clip",
    "clip_text_model": "clip",
    "t5": "t5",
    "umt5": "t5",
    "mt5": "t5",
}
"""Kinds of encoder by their `model_type`: CLIP's reads from left to right, and its end mark stands for the text; T5's
reads both ways, and the mean of its tokens does."""
LONGEST = 16
"""Tokens of a word. A longer one is a script without blanks, where each token is taken for a word."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text encoder of a pipeline with its tokenizer."""

    name: str
    family: str
    encoder: Any
    tokenizer: Any

    @property
    def width(self) -> int:
        """Of its token states."""
        config = getattr(self.encoder.config, "text_config", None) or self.encoder.config
        return int(getattr(config, "d_model", None) or config.hidden_size)

    def content(self, ids: Tensor) -> Tensor:
        """Which tokens are words, (…) bool: no marks, no padding."""
        import torch

        marks = torch.tensor(sorted(self.tokenizer.all_special_ids), device=ids.device)
        return ~torch.isin(ids, marks)

    def words(self, ids: Tensor) -> list[list[int]]:
        """Places of the tokens of each word of one text, (L,)."""
        places = self.content(ids).nonzero().flatten().tolist()
        pieces = self.tokenizer.convert_ids_to_tokens([int(ids[p]) for p in places])
        ends = any(piece.endswith("</w>") for piece in pieces)
        groups: list[list[int]] = []
        fresh = True
        for place, piece in zip(places, pieces, strict=True):
            # Byte pairs of CLIP mark the end of a word; sentence pieces (and byte pairs of GPT-2) its beginning.
            if fresh or (not ends and piece.startswith(("▁", "Ġ"))):
                groups.append([])
            groups[-1].append(place)
            fresh = ends and piece.endswith("</w>")
        return [w for group in groups for w in ([group] if len(group) <= LONGEST else [[p] for p in group])]

    def end(self, ids: Tensor) -> Tensor:
        """Place of the end mark of each text, (B,), from (B, L)."""
        eos = self.tokenizer.eos_token_id
        first: Tensor = (ids == eos).int().argmax(dim=-1)
        return first

    def pooled(self, states: Tensor, ids: Tensor) -> Tensor:
        """One vector a text: (B, D) float32 from (B, L, D)."""
        import torch

        rows = torch.arange(len(ids), device=states.device)
        last = self.end(ids).to(states.device)
        if self.family == "clip":
            return states[rows, last].float()
        weights = self.content(ids).to(states.device).float()
        # A text without words is its end mark.
        weights[rows, last] += (weights.sum(dim=1) == 0).float()
        return (states.float() * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True)


@dataclass(slots=True)
class Reading:
    """What is read while the block of `watched` runs.

    Args:
        without: for each row, which places are left out, by encoder.
    """

    without: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    ids: dict[str, Tensor] = field(default_factory=dict)
    """Token ids (B, L) of the first call of each encoder, words left out."""

    @contextlib.contextmanager
    def watched(self, parts: Sequence[TextPart]) -> Iterator[None]:
        """Look at the encoders while the block runs here."""
        with contextlib.ExitStack() as hooks:
            for part in parts:
                handle = part.encoder.register_forward_pre_hook(_hook(part), with_kwargs=True)
                hooks.callback(handle.remove)
            token = _reading.set(self)
            try:
                yield
            finally:
                _reading.reset(token)

    def look(self, part: TextPart, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        mask = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        places = self.without.get(part.name)
        if places is not None:
            pad = part.tokenizer.pad_token_id
            ids = _left_out(ids, places, pad if pad is not None else int(ids[0, -1]))
            mask = _left_out(mask, places, 0) if mask is not None else None
        self.ids.setdefault(part.name, ids)
        changed = {**kwargs, **({"attention_mask": mask} if mask is not None else {})}
        if "input_ids" in kwargs:
            return args, {**changed, "input_ids": ids}
        # An attention mask by place would now be there twice.
        return (ids, *(args[1:] if mask is None else args[2:])), changed


_reading: ContextVar[Reading | None] = ContextVar("guardrail_encoder_reading", default=None)


def _hook(part: TextPart) -> Any:
    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        reading = _reading.get()
        return reading.look(part, args, kwargs) if reading is not None else None

    return hook


def _left_out(rows: Tensor, places: Sequence[Sequence[int]], pad: int) -> Tensor:
    import torch

    made = torch.full_like(rows, pad)
    for row, out in enumerate(places):
        kept = [p for p in range(rows.shape[1]) if p not in set(out)]
        made[row, : len(kept)] = rows[row, kept]
    return made


def text_parts(pipe: Any) -> list[TextPart]:
    """The text encoders of a pipeline that are there, with their tokenizers."""
    found = []
    for number in ("", "_2", "_3", "_4"):
        encoder = getattr(pipe, f"text_encoder{number}", None)
        tokenizer = getattr(pipe, f"tokenizer{number}", None)
        if encoder is not None:
            kind = str(getattr(getattr(encoder, "config", None), "model_type", ""))
            found.append(TextPart(f"text_encoder{number}", FAMILIES.get(kind, ""), encoder, tokenizer))
    return found


def unreadable(pipe: Any) -> str:
    """Empty where every text encoder of the pipeline is CLIP's or T5's; otherwise which is not."""
    parts = text_parts(pipe)
    if not parts:
        return "the pipeline has no text encoder"
    for part in parts:
        if not part.family or not hasattr(part.tokenizer, "convert_ids_to_tokens"):
            return f"{part.name} is no CLIP or T5 encoder with a tokenizer of its own"
    return ""
