"""Taking words out of a text whose words have spaces between them."""

from __future__ import annotations

import re

from guardrail.actions.wording.closed import CLOSED, Closed

__all__ = ["cut_spaced"]

_LAST = re.compile(r"([\w'’-]+)(\s*)$")
_FIRST = re.compile(r"(\s*)([\w'’-]+)")
_STOP = ",;:.!?)]}|\n。，、؛،"
_SEPARATOR = re.compile(r"[,;|\n.!?。，、،]")
_SILENT_H = re.compile(r"(?:hour|honest|heir|honou?r)", re.IGNORECASE)
_YOU = re.compile(r"(?:uni(?!n)|use|usu|eu|one\b|once\b|ufo)", re.IGNORECASE)
# Words that qualify a noun, as far as they stand beside what is taken out: with them "and" or a comma goes too.
_QUALITY = re.compile(
    r"(?:young|old|tall|short|slim|blonde?|red|blue|green|black|white|pale|dark|tanned|beautiful|pretty|cute|gorgeous|"
    r"lovely|smiling|laughing|dancing|sleeping|sitting|standing|sad|happy|wet|muscular|curvy|elegant|confident|hot|"
    r"athletic|attractive|stunning|tattooed|bearded|pregnant|asian|african|european|\w{3,}(?:ful|ous|ish|less))$",
    re.IGNORECASE,
)
_DOING = re.compile(r"\w{2,}ing$", re.IGNORECASE)
_TAIL = re.compile(r"^\s+(?:at all|whatsoever)\b", re.IGNORECASE)
_BODY = re.compile(
    r"(?:breasts?|boobs?|tits?|titties|nipples?|ass|asses|butts?|booty|buttocks|cleavage|cocks?|dicks?|penis|pussy|"
    r"genitals?|thighs|thongs?|panties|bra|lingerie|underwear)$",
    re.IGNORECASE,
)
_SIZES = CLOSED["en"].sizes
# What a word for the naked stands for where it is the noun of its phrase.
_NOUNS = {"nude": "figure", "nudes": "figures"}
_WORKERS = {
    "stripper": "dancer",
    "strippers": "dancers",
    "pornstar": "person",
    "pornstars": "people",
    "porn star": "person",
}
_NOUNS_OF = {"nude": "picture", "nudes": "pictures", "porn": "pictures", "hentai": "pictures", "erotica": "pictures"}


def cut_spaced(text: str, start: int, end: int, closed: Closed, *, edit: bool, english: bool) -> str:
    """`text` without ``text[start:end]`` and without what cannot stand alone then.

    Args:
        edit: the words are an instruction to undress somebody: its whole clause goes.
        english: mend "a" and "an", and put a noun where one is needed.
    """
    start, end = _whole_words(text, start, end)
    if edit and _begins_clause(text[:start], closed):
        return _without_clause(text, start, end, closed)
    left, gone, right = text[:start], text[start:end], text[end:]
    capital = (not left.strip() or left.rstrip()[-1:] in ".!?\n") and gone[:1].isupper() and not gone.isupper()
    left = _strip_words(left, closed.adverbs)
    right = _TAIL.sub("", right)
    if _BODY.search(gone):
        left = _strip_words(left, _SIZES)
    if english and (noun := _noun(left, gone, right, closed)):
        return _joined(left, noun + right, english, capital=capital)
    head = _FIRST.match(right)
    following = head[2].lower() if head else ""
    if following in closed.joins and right.lstrip()[:1] not in _STOP:
        left, right, following = _mend_join(left, right, closed, english)
    if not following or right.lstrip(" ")[:1] in _STOP or following in closed.after | closed.joins:
        left = _strip_hanging(left, closed, keep_copula=following in closed.after)
    elif english:
        left = _mend_qualities(left, closed)
    left, right = _without_empty_element(left, right, closed)
    return _joined(left, right, english, capital=capital)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    while start and (text[start - 1].isalnum() or text[start - 1] in "_") and text[start].isalnum():
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in "_") and text[end - 1].isalnum():
        end += 1
    # A tag of a generator (<lora:…>) is one word.
    opened = text.rfind("<", 0, start)
    if opened >= 0 and ">" not in text[opened:start] and "\n" not in text[opened:start]:
        closing = text.find(">", end)
        if closing >= 0 and "<" not in text[end:closing]:
            return opened, closing + 1
    return start, end


def _begins_clause(left: str, closed: Closed) -> bool:
    """Whether nothing but words of asking stands between the last separator and this place."""
    clause = _SEPARATOR.split(left)[-1]
    words = [w.lower() for w in re.findall(r"[\w'’-]+", clause)]
    for i in reversed(range(len(words))):
        if words[i] in closed.joins:
            words = words[i + 1 :]
            break
    return all(w in closed.commands or w in closed.pronouns or w in ("to", "can", "could") for w in words)


def _without_clause(text: str, start: int, end: int, closed: Closed) -> str:
    left, right = text[:start], text[end:]
    clause = _SEPARATOR.split(left)[-1]
    joined = [m for m in re.finditer(r"[\w'’-]+", clause) if m[0].lower() in closed.joins]
    begin = len(left) - len(clause) + (joined[-1].start() if joined else 0)
    left = left[:begin]
    stop = re.search(rf"[,;.!?\n。،]|\s(?=(?:{'|'.join(map(re.escape, sorted(closed.joins)))})\s)", right)
    right = right[stop.start() :] if stop else ""
    if not left.strip():
        right = re.sub(rf"^[\s,;.!?،]*(?:(?:{'|'.join(map(re.escape, sorted(closed.joins)))})\s+)*", "", right)
    elif left.rstrip()[-1:] in _STOP:
        right = re.sub(r"^\s*[,;.]\s*", " ", right)
        if not right.strip():
            return left.rstrip().rstrip(",;:،")
    return _joined(left, right, english=False, capital=text[:1].isupper() and not left.strip())


def _strip_words(left: str, words: frozenset[str]) -> str:
    while (last := _LAST.search(left)) and last[1].lower() in words:
        left = left[: last.start()]
    return left[:-1] if left.endswith("-") else left


def _noun(left: str, gone: str, right: str, closed: Closed) -> str:
    """A noun to put in the place of one, or nothing where the word was none."""
    word = gone.lower()
    head = _FIRST.match(right)
    following = head[2].lower() if head and right[: head.end(1)].strip() == "" else ""
    if following == "of" and word in _NOUNS_OF:
        return _NOUNS_OF[word]
    last = _LAST.search(left)
    before = last[1].lower() if last else ""
    ends = not following or following in closed.after | closed.joins
    if word in _WORKERS and ends:
        return _WORKERS[word]
    if (
        word in _NOUNS
        and ends
        and following
        and (before in ("a", "an", "the", "two", "three") or _is_described(left, before))
    ):
        return _NOUNS[word]
    return ""


def _is_described(left: str, before: str) -> bool:
    """ "a reclining [nude]": an article, and words of quality between."""
    if not (_QUALITY.match(before) or before in ("reclining", "seated", "female", "male", "classical")):
        return False
    return re.search(r"\b(?:an?|the) (?:[\w-]+,? )?[\w-]+\s*$", left, re.IGNORECASE) is not None


def _mend_join(left: str, right: str, closed: Closed, english: bool) -> tuple[str, str, str]:
    """What "and" joined to the words that are gone takes their place, where it can."""
    join = _FIRST.match(right)
    assert join is not None
    after = _FIRST.match(right, join.end())
    last = _LAST.search(left)
    before = last[1].lower() if last else ""
    takes = not before or before in closed.before | closed.copulas or left.rstrip()[-1:] in _STOP + "(["
    # Qualities follow their noun there, and another noun would bring its article.
    takes = takes or (not english and after is not None and after[2].lower() not in closed.before)
    if after and (takes or _QUALITY.match(after[2]) or _DOING.match(after[2])):
        return left, right[join.end() :], after[2].lower()
    return left, right, join[2].lower()


def _strip_hanging(left: str, closed: Closed, *, keep_copula: bool) -> str:
    while last := _LAST.search(left):
        word = last[1].lower()
        if word in closed.joins | closed.before | closed.adverbs or (word in closed.copulas and not keep_copula):
            left = left[: last.start()]
        else:
            break
    return left


def _mend_qualities(left: str, closed: Closed) -> str:
    """ "smiling and [naked] woman", "young, [naked] woman": the join goes with the word."""
    joined = re.search(r"([\w-]+)(?:\s+(?:and|but|yet)|\s*,(?:\s*and)?)\s*$", left)
    if joined and (_QUALITY.match(joined[1])):
        return left[: joined.end(1)] + " "
    if (last := _LAST.search(left)) and last[1].lower() in ("while", "being"):
        return left[: last.start()]
    return left


def _without_empty_element(left: str, right: str, closed: Closed) -> tuple[str, str]:
    """Drop what is left of an element of a list, or of a sentence, that has no words of its own any more."""
    while True:
        bare, rest = left.rstrip(" "), right.lstrip(" ")
        if bare[-1:] and bare[-1:] in "([{" and (weight := re.match(r"\s*(?::\s*[\d.]+)?\s*[)\]}]", rest)):
            left, right = bare[:-1], rest[weight.end() :]
            continue
        if bare[-1:] and bare[-1:] in "\"'“‘「" and rest[:1] and rest[:1] in "\"'”’」":
            left, right = bare[:-1], rest[1:]
            continue
        break
    begin = max((m.end() for m in _SEPARATOR.finditer(left)), default=0)
    bracket = max(left.rfind(c) for c in "([{")
    begin = max(begin, bracket + 1)
    ends = _SEPARATOR.search(right)
    stop = ends.start() if ends else len(right)
    closing = re.search(r"[)\]}]", right[:stop])
    stop = closing.start() if closing else stop
    words = [w.lower() for w in re.findall(r"[^\W\d_]+", left[begin:] + " " + right[:stop])]
    small = closed.pronouns | closed.before | closed.joins | closed.copulas | closed.commands
    if words and not all(w in small for w in words):
        return left, right
    if not words and not right[:stop].strip() and not left[begin:].strip() and bracket + 1 == begin and bracket >= 0:
        return left, right
    if re.search(r"\d", left[begin:] + right[:stop]) and not words:
        return left, right
    left = left[:begin]
    right = right[stop:]
    if left.rstrip(" ")[-1:] in ("", ".", "!", "?", "\n"):
        return left, re.sub(r"^[,;.!?،、|]+ *", "", right) if right[:1] != "\n" else right
    if right[:1] and right[:1] in ",;،、|":
        return left, right[1:]
    # The last of a list: the comma before it goes.
    return left.rstrip(" ")[:-1] if left.rstrip(" ")[-1:] in ",;،、|" else left, right


def _joined(left: str, right: str, english: bool, *, capital: bool) -> str:
    """The two halves with one space where words meet, none before punctuation."""
    tail, begin = left.rstrip(" "), right.lstrip(" ")
    if english and (article := re.search(r"\b([Aa])(n?)$", tail)) and begin[:1].isalpha():
        tail = tail[: article.start(1)] + article[1] + ("n" if _takes_an(begin) else "")
    if capital and begin[:1].islower():
        begin = begin[:1].upper() + begin[1:]
    if not tail or not begin or begin[0] in _STOP or tail[-1] in "([{<\n":
        return tail + begin
    if tail[-1] in ",;|" and not right.startswith(" "):
        return tail + begin
    quoted = tail[-1] in "\"'“‘" and not left.endswith(" ")
    return tail + ("" if quoted or (begin[0] in '"”’' and not right.startswith(" ")) else " ") + begin


def _takes_an(word: str) -> bool:
    if _SILENT_H.match(word):
        return True
    return word[:1].lower() in "aeiou" and not _YOU.match(word)
