"""The families by name, with whether each keeps what a prompt asks for."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.bench.attacks import apart, characters, encodings, letters, scripts, syntax, wording
from guardrail.bench.attacks.family import Change, Family

__all__ = ["FAMILIES"]


def _families() -> Iterator[Family]:
    kinds: dict[str, dict[str, Change]] = {
        "letters": {
            "homoglyph": characters.homoglyph,
            "leet": characters.leet,
            "zero_width": characters.zero_width,
            "bidi": characters.bidi,
            "fullwidth": characters.fullwidth,
            "math_alphabet": characters.math_alphabet,
            "combining": characters.combining,
            "upside_down": characters.upside_down,
            "case_mix": characters.case_mix,
            "repeat": letters.repeat,
            "star": letters.star,
            "vowel_drop": letters.vowel_drop,
            "typo": letters.typo,
        },
        "apart": {
            "spaced": apart.spaced,
            "dotted": apart.dotted,
            "punctuation": apart.punctuation,
            "emoji_between": apart.emoji_between,
            "split": apart.split,
            "hyphen": apart.hyphen,
            "glued": apart.glued,
            "affixed": apart.affixed,
        },
        "syntax": {
            "weights": syntax.weights,
            "switching": syntax.switching,
            "prompt_switch": syntax.prompt_switch,
            "lora": syntax.lora,
        },
        "encoding": {
            "base64": encodings.base64,
            "rot13": encodings.rot13,
            "reversed": encodings.reversed_,
            "hex": encodings.hex_,
            "escapes": encodings.escapes,
        },
        "script": {
            "jamo": scripts.jamo,
            "romanise": scripts.romanise,
            "romanise_kana": scripts.romanise_kana,
            "romanise_cyrillic": scripts.romanise_cyrillic,
        },
        "wording": {
            "synonyms": wording.synonyms,
            "code_mixed": wording.code_mixed,
            "emoji_words": wording.emoji_words,
            "junk_prefix": wording.junk_prefix,
            "junk_suffix": wording.junk_suffix,
        },
    }
    for kind, of in kinds.items():
        yield from (Family(name, kind, change) for name, change in of.items())
    yield Family("shuffled", "wording", wording.shuffled, False, "who does what to whom may change with the order")
    yield Family("negated", "wording", wording.negated, False, "the words ask for the contrary")
    yield Family("visual_text", "wording", wording.visual_text, False, "asks for the words, not for what they describe")


FAMILIES: dict[str, Family] = {family.name: family for family in _families()}
"""Those that keep the meaning first; `Family.keeps` tells the others."""
