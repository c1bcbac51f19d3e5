"""Tables of characters: what is invisible, what folds to a Latin letter, what looks like one, what stands for one.

Written for this project from the Unicode charts; see Unicode Technical Standard #39 for the idea of a skeleton.
"""

from __future__ import annotations

__all__ = ["CJK", "FOLDS", "HANGUL", "INVISIBLE", "LEET", "LOOKALIKES"]

# Drawn as nothing although their category says letter or mark: Hangul fillers, variation selectors, soft hyphen.
INVISIBLE = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062"
    "\u2063\u2064\u2800\u3164\ufeff\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0000, 0xE01F0)))
)


def _folds() -> dict[str, str]:
    """Latin letters in costume that NFKC leaves alone."""
    table = {"ø": "o", "đ": "d", "ł": "l", "ı": "i", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
    table |= {"ɑ": "a", "ɡ": "g", "ɩ": "i", "ɪ": "i", "ʋ": "v", "ʏ": "y", "ƒ": "f", "ɛ": "e", "ʟ": "l", "ɴ": "n"}
    table |= dict(zip("ᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍᴏᴘǫʀꜱᴛᴜᴠᴡᴢ", "abcdefghjkmopqrstuvwz", strict=True))
    for i in range(26):
        letter = chr(ord("a") + i)
        # Negative circled, negative squared and regional indicator letters have no compatibility form.
        for start in (0x1F150, 0x1F170, 0x1F1E6):
            table[chr(start + i)] = letter
    return table


FOLDS: dict[str, str] = _folds()

# Letters of other scripts that are read as a Latin letter, lower case (case is folded before the look-up).
LOOKALIKES: dict[str, str] = (
    # Cyrillic
    dict(zip("авекмнорстухѕіјԁԛԝһӏьзгпиу", "abekmhopctyxsijdqwhlb3rnuy", strict=True))
    | {
        "у": "y",
        "ё": "e",
        "з": "3",
        "ь": "b",
        "п": "n",
        "и": "u",
        "г": "r",
        "д": "d",
        "л": "n",
        "ц": "u",
        "ш": "w",
        "я": "r",
    }
    # Greek
    | dict(zip("αβγδεηικνορστυχωϲϳ", "abydenikvopotuxwcj", strict=True))
    | {"λ": "l", "μ": "u", "ς": "s", "τ": "t", "σ": "o", "π": "n", "ζ": "z"}
    # Armenian, Cherokee (lower case), Lisu-like leftovers that turn up in generators of "fancy text"
    | {"օ": "o", "ո": "n", "ս": "u", "հ": "h", "ց": "g", "զ": "q", "ե": "e", "ա": "w", "յ": "j", "լ": "l"}
)

# What stands for a letter among letters. "1" marks what may be i or l.
LEET: dict[str, str] = {
    "0": "o",
    "1": "1",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "g",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "1",
    "|": "1",
    "+": "t",
    "€": "e",
    "£": "l",
    "¥": "y",
    "¢": "c",
    "§": "s",
    "µ": "u",
    "μ": "u",
    "×": "x",
}

# Ranges for regular-expression character classes.
HANGUL = "\u3131-\u318e\uac00-\ud7a3"
CJK = HANGUL + "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
