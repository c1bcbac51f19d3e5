"""The disguises of guardrail/bench/attacks that the training scripts draw from."""

from guardrail.bench.attacks import FAMILIES as _ALL
from guardrail.bench.attacks import Family

__all__ = ["FAMILIES", "Family"]

# The families that the shipped classifier was trained with, in their order: a training run gives the same rows again.
_ORDER = (
    "homoglyph", "leet", "zero_width", "bidi", "fullwidth", "math_alphabet", "combining", "upside_down", "case_mix",
    "spaced", "dotted", "punctuation", "emoji_between", "split", "hyphen", "glued", "affixed", "repeat", "star",
    "vowel_drop", "typo", "weights", "switching", "lora", "base64", "rot13", "reversed", "hex", "escapes", "jamo",
    "romanise",
)  # fmt: skip
FAMILIES: dict[str, Family] = {name: _ALL[name] for name in _ORDER}
