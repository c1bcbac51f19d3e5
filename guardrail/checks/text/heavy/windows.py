"""Cutting a text that is longer than a model can read into windows that overlap: nothing beyond the first is unseen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardrail.errors import CheckError, ConfigurationError

__all__ = ["MOST_WINDOWS", "id_windows", "parts", "reach"]

# 20,000 characters, the most that a guard reads, are about 100 windows of 77 tokens that overlap by a quarter. Scripts
# that a tokenizer spells in bytes need more; beyond this a text is too much for the model, and that is said.
MOST_WINDOWS = 400


def reach(tokenizer: Any, config: Any, most: int) -> int:
    """How many tokens a model reads at once, special ones included: what its own files say, at most `most`.

    Raises:
        ConfigurationError: that is too few to hold text.
    """
    limits = [most]
    config = getattr(config, "text_config", None) or config
    # Of relative position encodings n_positions is no limit, but a length that the model has seen.
    for name in ("max_position_embeddings", "n_positions"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            limits.append(value - _offset(config))
    value = getattr(tokenizer, "model_max_length", None)
    if isinstance(value, int) and value > 0:
        limits.append(value)
    found = min(limits)
    if found - tokenizer.num_special_tokens_to_add(False) < 4:
        raise ConfigurationError(f"a model that reads {found} tokens at once has no room for text")
    return found


def _offset(config: Any) -> int:
    """RoBERTa and its like number positions from after the padding id: so many of them are no room."""
    relatives = ("roberta", "camembert", "mpnet", "longformer", "xlm-roberta", "xmod", "data2vec-text", "esm", "ibert")
    kind = str(getattr(config, "model_type", ""))
    if any(kind.startswith(name) for name in relatives):
        return int(getattr(config, "pad_token_id", 1) or 0) + 1
    return 0


def _cut(tokenizer: Any, text: str, length: int, **options: Any) -> Any:
    room = length - (tokenizer.num_special_tokens_to_add(False) if options["add_special_tokens"] else 0)
    cut = tokenizer(
        text,
        truncation=True,
        max_length=length,
        # A quarter of a window in common: a phrase at the edge of one stands whole in the next.
        stride=room // 4,
        return_overflowing_tokens=True,
        padding=False,
        verbose=False,
        **options,
    )
    if len(cut["input_ids"]) > MOST_WINDOWS:
        raise CheckError(f"the text is more than {MOST_WINDOWS} windows of the model")
    return cut


def id_windows(tokenizer: Any, text: str, length: int) -> Iterator[dict[str, list[int]]]:
    """What the model takes for each window, with special tokens: name → ids. Not thread-safe: hold the model's lock.

    Args:
        length: of a window, special tokens included.

    Raises:
        CheckError: there are more than `MOST_WINDOWS`.
    """
    if not tokenizer.is_fast:
        yield from _slow_windows(tokenizer, text, length)
        return
    cut = _cut(tokenizer, text, length, add_special_tokens=True)
    names = [name for name in tokenizer.model_input_names if name in cut]
    for i in range(len(cut["input_ids"])):
        yield {name: list(cut[name][i]) for name in names}


def parts(tokenizer: Any, text: str, length: int) -> list[str]:
    """`text` in pieces of at most about `length` tokens that overlap by a quarter. As `id_windows`."""
    cut = _cut(tokenizer, text, length, add_special_tokens=False, return_offsets_mapping=True)
    pieces = []
    for offsets in cut["offset_mapping"]:
        if offsets:
            pieces.append(text[offsets[0][0] : offsets[-1][1]])
    return pieces if len(pieces) > 1 else [text]


def _slow_windows(tokenizer: Any, text: str, length: int) -> Iterator[dict[str, list[int]]]:
    """As `id_windows`, for tokenizers in Python, which older pipelines have."""
    ids = tokenizer(text, add_special_tokens=False, truncation=False, padding=False, verbose=False)["input_ids"]
    room = length - tokenizer.num_special_tokens_to_add(False)
    step = room - room // 4
    starts = range(0, max(len(ids) - room // 4, 1), step)
    if len(starts) > MOST_WINDOWS:
        raise CheckError(f"the text is more than {MOST_WINDOWS} windows of the model")
    for start in starts:
        window = tokenizer.build_inputs_with_special_tokens(ids[start : start + room])
        yield {"input_ids": list(window), "attention_mask": [1] * len(window)}
