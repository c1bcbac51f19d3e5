"""Which language a prompt is in, as far as a change of its words needs to know.

Scripts say it for most; languages in Latin letters are told apart by their closed words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["language_of"]

_SCRIPTS = (
    ("ko", re.compile("[\uac00-\ud7a3\u3131-\u318e]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e01-\u0e5b]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
# Closed words that the other languages of the table do not have in the same sense.
_CLOSED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        language: frozenset(words.split())
        for language, words in {
            "en": "the a an of and with in on at to is are her his who that from by wearing near as",
            "es": "el los las una un del al con en mi su y que por para sobre sin está playa mujer hombre foto retrato",
            "pt": "o os as uma um do da dos das no na com em meu minha seu sua e sem está mulher homem praia foto",
            "fr": "le les une un du des et avec dans sur au aux mon ma son sa qui sans est femme homme plage d l",
            "de": (
                "der die das ein eine einer einem einen und mit im am auf von vom zum zur ist ohne frau mann strand "
                "bild"
            ),
            "it": (
                "il lo gli una un del della dei delle con nel nella sul sulla mio mia suo e che senza è donna uomo foto"
            ),
            "id": "yang di dan dengan pada seorang sebuah tanpa wanita pria untuk dari pantai foto ke",
            "tr": "bir ve ile için kadın adam fotoğraf fotoğrafı resmi olan plajda sahilde üzerinde",
            "vi": "một của và trên với không người cô gái bức ảnh phụ nữ đàn ông trong ở bên",
        }.items()
    }
)


def language_of(text: str) -> str:
    """The language as a code of two letters; English where nothing tells.

    Any Hangul, and any kana, decides: names and quality words in Latin letters stand in texts of every language. The
    other scripts decide where they have a third of the letters.
    """
    letters = len(_LETTER.findall(text))
    for language, script in _SCRIPTS:
        found = len(script.findall(text))
        if found and (language in ("ko", "ja") or 3 * found >= letters):
            return language
    words = [w.lower() for w in _WORD.findall(text)]
    votes = {language: sum(w in closed for w in words) for language, closed in _CLOSED.items()}
    best = max(votes, key=lambda language: (votes[language], language == "en"))
    # One word is not enough: names have them ("Casa de").
    return best if votes[best] >= 2 or (votes[best] == 1 and not votes["en"] and len(words) <= 5) else "en"
