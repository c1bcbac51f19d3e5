"""Steering by projection: prompt embeddings without what they hold of a concept.

The embedding half of SAFREE (Yoon et al. 2024, arXiv 2410.12761): the phrases of the concept span a subspace; the
prompt is encoded once more without each of its words; words without which it lies further from the subspace are the
ones that bring the concept in; their states are projected into what the prompts without one word span, and out of the
subspace. States of other words stay bit for bit. Two things are ours. Words are left out, not single tokens. And of an
encoder that reads from left to right (CLIP), the end mark and the padding behind it have read those words too, and are
projected with them, as are pooled vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering.encoding import EMBEDDINGS, Encoder, Results, unencodable
from guardrail.pipelines.steering.layout import Segment, segments
from guardrail.pipelines.steering.reading import Reading, TextPart, text_parts, unreadable
from guardrail.pipelines.steering.subspace import basis, inside, outside, triggers
from guardrail.pipelines.steering.wishes import Outcome, Wish

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Projection", "inactive"]

SLACK = 0.01
"""The paper's alpha. In the stand-in model it takes a quarter of all other words with it (docs/steering.md)."""
BATCH = 16
"""Texts that are encoded at once."""


def inactive(pipe: Any, arguments: Arguments) -> str:
    """Empty where the prompt embeddings of this call can be projected; otherwise why not."""
    return unencodable(pipe, arguments) or unreadable(pipe)


@dataclass(slots=True)
class Projection:
    """The change for `encoding.between`.

    Args:
        outcome: says what was done, once it was called.
        slack: see `subspace.triggers`.
    """

    wish: Wish
    outcome: Outcome
    slack: float = SLACK

    def __call__(self, encoder: Encoder, given: dict[str, Any], results: Results) -> None:
        parts = text_parts(encoder.pipe)
        prompts = given["prompt"]
        texts = [encoder.texts(given, row) for row in range(1 if isinstance(prompts, str) else len(prompts))]
        embeds = results[EMBEDDINGS]
        plain, reading = _encoded(encoder, given, texts, parts, {})
        layout = segments(parts, reading.ids, embeds)
        if not layout or len(embeds) % len(texts) or plain[EMBEDDINGS].shape[1:] != embeds.shape[1:]:
            self.outcome.inactive = "the layout of the prompt embeddings is not known"
            return
        concept = _Encodings(
            *_encoded(encoder, given, [dict.fromkeys(texts[0], phrase) for phrase in self.wish.phrases], parts, {}),
            layout,
        )
        each = len(embeds) // len(texts)
        words = 0
        done: dict[tuple[str, ...], tuple[int, Results]] = {}
        changed = {name: results[name].clone() for name in (EMBEDDINGS, *_pooled_names(results))}
        for row, text in enumerate(texts):
            key = tuple(text.values())
            if key not in done:
                own = {name: ids[row] for name, ids in reading.ids.items()}
                done[key] = self._one(encoder, given, text, own, concept, {k: v[row] for k, v in plain.items()})
            number, new = done[key]
            words += number
            for name, vector in new.items():
                changed[name][row * each : (row + 1) * each] = vector.to(changed[name])
        results.update(changed)
        self.outcome.inactive = ""
        self.outcome.detail = f"by projection; words projected: {words}"

    def _one(
        self,
        encoder: Encoder,
        given: Mapping[str, Any],
        text: Mapping[str, str],
        ids: Mapping[str, Tensor],
        concept: _Encodings,
        plain: Results,
    ) -> tuple[int, Results]:
        """How many words of one prompt are projected, and its vectors by name, where any are."""
        parts = text_parts(encoder.pipe)
        words = {p.name: p.words(ids[p.name]) for p in parts if p.name in ids}
        most = max(map(len, words.values()), default=0)
        if not most:
            return 0, {}
        rows = {name: [*own, *([[]] * (most - len(own)))] for name, own in words.items()}
        masked = _Encodings(*_encoded(encoder, given, [text] * most, parts, rows), concept.layout)
        embeds = plain[EMBEDDINGS].clone()
        found = 0
        for segment in concept.layout:
            own = words[segment.part.name]
            if not own:
                continue
            space = basis(concept.pooled(segment))
            without = masked.pooled(segment)[: len(own)]
            states = segment.of(embeds[None])
            whole = segment.part.pooled(states, ids[segment.part.name][None])[0]
            hit = triggers(without, whole, space, self.slack).nonzero().flatten().tolist()
            if not hit:
                continue
            places = _places(segment.part, ids[segment.part.name], [own[i] for i in hit])
            states[0, places] = outside(inside(states[0, places], basis(without)), space).to(states.dtype)
            found = max(found, len(hit))
        if not found:
            return 0, {}
        return found, {EMBEDDINGS: embeds, **_pooled(concept, masked, plain, min(len(w) for w in words.values() if w))}


@dataclass(slots=True)
class _Encodings:
    """Some texts, encoded."""

    results: Results
    reading: Reading
    layout: Sequence[Segment]

    def pooled(self, segment: Segment) -> Tensor:
        """One vector a text, (rows, d), in the space of the segment."""
        ids = self.reading.ids[segment.part.name]
        return segment.part.pooled(segment.of(self.results[EMBEDDINGS]), ids)


def _encoded(
    encoder: Encoder,
    given: Mapping[str, Any],
    texts: Sequence[Mapping[str, str]],
    parts: Sequence[TextPart],
    without: Mapping[str, Sequence[Sequence[int]]],
) -> tuple[Results, Reading]:
    """Texts in batches of `BATCH`, with what the encoders read."""
    import torch

    made: dict[str, list[Tensor]] = {}
    read: dict[str, list[Tensor]] = {}
    for start in range(0, len(texts), BATCH):
        rows = slice(start, start + BATCH)
        reading = Reading({name: places[rows] for name, places in without.items()})
        with reading.watched(parts):
            results = encoder.encode(given, texts[rows])
        for name in (EMBEDDINGS, *_pooled_names(results)):
            made.setdefault(name, []).append(results[name])
        for name, ids in reading.ids.items():
            read.setdefault(name, []).append(ids)
    whole = Reading(without, {name: torch.cat(ids) for name, ids in read.items()})
    return {name: torch.cat(tensors) for name, tensors in made.items()}, whole


def _pooled_names(results: Results) -> list[str]:
    """Vectors of whole prompts, (B, D), for what the denoiser is told beside the tokens."""
    return [
        name
        for name, value in results.items()
        if "pooled" in name and not name.startswith("negative") and getattr(value, "ndim", 0) == 2
    ]


def _pooled(concept: _Encodings, masked: _Encodings, plain: Results, words: int) -> Results:
    made = {}
    for name in _pooled_names(plain | {n: v[None] for n, v in plain.items() if v.ndim == 1}):
        kept = inside(plain[name][None], basis(masked.results[name][:words]))
        made[name] = outside(kept, basis(concept.results[name]))[0]
    return made


def _places(part: TextPart, ids: Tensor, words: Sequence[Sequence[int]]) -> list[int]:
    """Tokens to project: those of the words; of CLIP, the end mark and all behind it too."""
    places = [p for word in words for p in word]
    if part.family == "clip":
        places += range(int(part.end(ids[None])[0]), len(ids))
    return places
