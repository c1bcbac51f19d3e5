"""A person in general, in the languages that need no more than a phrase and the form that fits.

English, Korean, Japanese, Chinese and Spanish have more to mend and are in `persons`.
"""

from __future__ import annotations

import re

__all__ = ["general_person"]

_PHRASES = {
    "fr": "une personne",
    "de": "eine Person",
    "it": "una persona",
    "pt": "uma pessoa",
    "id": "seseorang",
    "vi": "một người",
    "th": "คนคนหนึ่ง",
    "ar": "شخص",
    "hi": "एक व्यक्ति",
    "ru": "человек",
    "tr": "bir kişi",
}
_GERMAN_DATIVE = re.compile(
    r"\b(?:mit|von|bei|aus|zu|nach|neben|hinter|vor|unter|über|auf|an|zwischen)\s+$", re.IGNORECASE
)
_PORTUGUESE = {"da": "de", "do": "de", "na": "em", "no": "em", "pela": "por", "pelo": "por", "à": "a", "ao": "a"}
_RUSSIAN = (
    (re.compile(r"\b(?:со?|над|под|перед|между)\s+$", re.IGNORECASE), "человеком"),
    (re.compile(r"\b(?:обо?|во?|на)\s+$", re.IGNORECASE), "человеке"),
    (re.compile(r"\b(?:к|ко|по)\s+$", re.IGNORECASE), "человеку"),
    # Behind a noun a name stands in the genitive: "фото Анны".
    (re.compile(r"[а-яё]\s+$", re.IGNORECASE), "человека"),
)
# The case of a Turkish name is written behind an apostrophe; that of "kişi" is not.
_TURKISH = (
    (re.compile(r"['’]?n?[ıiuü]n\b"), "nin"),
    (re.compile(r"['’][dt][ea]n\b"), "den"),
    (re.compile(r"['’][dt][ea]\b"), "de"),
    (re.compile(r"['’]y?l[ea]\b"), "yle"),
    (re.compile(r"['’][yn]?[ea]\b"), "ye"),
    (re.compile(r"['’][yn]?[ıiuü]\b"), "yi"),
)


def general_person(before: str, after: str, language: str, *, capital: bool) -> str:
    """`before`, a person in general, `after`, mended where they meet.

    Args:
        before: the text up to the name (its last part is enough).
        after: the text behind the name.
        capital: whether the phrase begins a sentence.
    """
    phrase = _PHRASES[language]
    match language:
        case "fr":
            before = re.sub(r"\b([dDqQ]u?)e\s+$", r"\1’" if "’" in before else r"\1'", before)
        case "de":
            if after[:2] in ("s ", "’ ", "' "):
                after, phrase = after[1:], "einer Person"
            elif _GERMAN_DATIVE.search(before):
                phrase = "einer Person"
        case "it":
            before = re.sub(r"\b(d)i?\s*['’]$", r"\1i ", before)
        case "pt":
            article = re.search(r"\b(da|do|na|no|pela|pelo|à|ao|a|o)\s+$", before, re.IGNORECASE)
            if article:
                before = before[: article.start()]
                kept = _PORTUGUESE.get(article[1].lower(), "")
                before += f"{kept} " if kept else ""
        case "ru":
            phrase = next((form for pattern, form in _RUSSIAN if pattern.search(before)), phrase)
        case "tr":
            for pattern, suffix in _TURKISH:
                if found := pattern.match(after):
                    phrase, after = phrase + suffix, after[found.end() :]
                    break
    return before + (phrase[:1].upper() + phrase[1:] if capital else phrase) + after
