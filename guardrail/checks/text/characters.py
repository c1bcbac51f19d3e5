"""Tables of characters: what is invisible, what folds to a Latin letter, what looks like one, what stands for one.

Written for this project from the Unicode charts; see Unicode Technical Standard #39 for the idea of a skeleton.
"""

from __future__ import annotations

__all__ = [
    "BLANK",
    "CJK",
    "ELSEWHERE",
    "FOLDS",
    "HANGUL",
    "HAN_KANA",
    "INDIC",
    "INVISIBLE",
    "LEET",
    "LOOKALIKES",
    "LOOKALIKES_ELSE",
    "MARKS",
    "UNSPACED",
]


# Drawn as a space although their category says letter or symbol: Braille blank, Hangul fillers.
BLANK = "\u115f\u1160\u2800\u3164\uffa0"

# Regular-expression ranges from here on.
#
# Drawn as nothing: format characters (bidi, zero-width, tags), variation selectors, what Unicode calls default
# ignorable, control characters that are no white space; and the Arabic tatweel, a stroke that only stretches a word.
INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u0640\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
# Marks that sit on any letter (accents, strokes, enclosing shapes), vowel points of Arabic and Hebrew: not needed to
# read a word. What belongs to the letter (й, が, 각) is composed with it before these are dropped.
MARKS = (
    "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
HANGUL = "\u3131-\u318e\uac00-\ud7a3"
HAN_KANA = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
CJK = HANGUL + HAN_KANA
# Scripts that are looked up by character rather than by word: besides those, Thai, Lao, Burmese and Khmer.
UNSPACED = CJK + "\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17d3"
# Scripts of India: their vowel signs are marks, and still parts of the word.
INDIC = "\u0900-\u0963\u0966-\u0dff"
# Cyrillic, Hebrew, Arabic, Thai and Lao, with the signs that are parts of their words.
ELSEWHERE = "\u0430-\u04ff\u05d0-\u05ea\u0620-\u064a\u0671-\u06d3\u0e01-\u0e3a\u0e40-\u0eff"


def _folds() -> dict[str, str]:
    """Letters in costume that NFKC leaves alone."""
    table = {"ø": "o", "đ": "d", "ł": "l", "ı": "i", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
    table |= {"ɑ": "a", "ɡ": "g", "ɩ": "i", "ɪ": "i", "ʋ": "v", "ʏ": "y", "ƒ": "f", "ɛ": "e", "ʟ": "l", "ɴ": "n"}
    table |= dict(zip("ᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍᴏᴘǫʀꜱᴛᴜᴠᴡᴢ", "abcdefghjkmopqrstuvwz", strict=True))
    # Letters with hooks, bars and tails, and those that upside-down writing borrows.
    table |= dict(
        zip(
            "ƀɓƃɕƈȼɖɗƌȡɇǝəɟɠǥɦɥⱨɨᴉɉƙʞⱪɭɫƚⱡɱɯɲɳƞŋɵɔƥɋɼɽɾɍɹʂȿʈƫʇʉʌⱱⱳʍƴɏʎƶʐʑɀⱬⱥɐ",
            "bbbcccddddeeefgghhhiijkkkllllmmnnnnoopqrrrrrsstttuvvwwyyyzzzzzaa",
            strict=True,
        )
    )
    for i in range(26):
        letter = chr(ord("a") + i)
        # Negative circled, negative squared and regional indicator letters have no compatibility form.
        for start in (0x1F150, 0x1F170, 0x1F1E6):
            table[chr(start + i)] = letter
    # Arabic spellings that are used for each other: alef with and without hamza, final yeh, Persian kaf and yeh.
    table |= {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك"}
    return table


FOLDS: dict[str, str] = _folds()


# Letters of other scripts that are read as a Latin letter (case is folded before the look-up).
LOOKALIKES: dict[str, str] = {}
for _foreign, _latin in (
    ("авекмнорстухѕіјԁԛԝһӏьзгпи", "abekmhopctyxsijdqwhlb3rnu"),  # Cyrillic
    ("ёдлцшяїєґўйғқңүұҳѵԍѡѐѝҽѳөә", "ednuwrieryufkhyyxvgweueooe"),
    ("αάβγδεέηήικίϊνορστυύχωόώϲϳςζλμπ", "aabydeennikiivopotuuxwowcjszlun"),  # Greek
    ("օոսհցզեայլժքռրւղի", "onuhgqeajldpnrinh"),  # Armenian
    ("ᎠᎡᎢᎥᎪᎫᎬᎳᎷᎻᏳᏀᏃᏚᏙᏞᏟᏢᏦᏧᏰᎩᏆ", "drtiajewmhggzsvlcpkdbyt"),  # Cherokee, whose case folds upwards
    ("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "bpdtgkjczfmnlsrvhwxyaeiou"),  # Lisu
    ("ᗩᗷᑕᗪᖴᕼᒍᒪᗰᑎᑭᑫᖇᑌᐯᗯᘔᐱᑲᑯ", "abcdfhjlmnpqruvwzabd"),  # Canadian syllabics
    ("ⲁⲃⲇⲉⲏⲓⲕⲙⲛⲟⲣⲥⲧⲩⲭⲱ", "abdehikmnopctyxw"),  # Coptic
):
    LOOKALIKES.update(zip(_foreign, _latin, strict=True))

# Second readings, taken where they make a listed word: "ИЦDЭ" reads и as N.
LOOKALIKES_ELSE: dict[str, str] = {**LOOKALIKES, **dict(zip("идзэνσυлхԝеа", "naeensvaxwea", strict=True))}

# What stands for a letter among letters. "1" marks what may be i or l.
LEET: dict[str, str] = {
    **dict(zip("0123456789", "o1zeasgtbg", strict=True)),
    **dict(zip("@$!|+€£¥¢§µμ×¡", "as11telycsuux1", strict=True)),
    # Currency signs of "fancy text" generators.
    **dict(zip("₦₳฿₵₭₥₱₴₮₲₩", "nabckmpstgw", strict=True)),
}
