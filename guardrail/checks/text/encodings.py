"""Texts in code, decoded: escapes of the web and of programming languages, hexadecimal and binary digits, base64,
Morse, and runs that a direction override shows backwards.

Nothing is decoded that does not come out as printable text, so that names, numbers and hashes stay what they are; a
code within a code is decoded too, two deep. Sources: RFC 3986 (percent-encoding), RFC 4648 (base64), the HTML standard
(character references), ITU-R M.1677 (Morse).
"""

from __future__ import annotations

import base64
import binascii
import html
import re

from guardrail.checks.text.views import View, substitute, untouched

__all__ = ["decoded"]

_DEPTH = 2

_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9a-fA-F]{2})+)|(?P<entity>&\#[xX]?[0-9a-fA-F]{1,7};?|&[A-Za-z][A-Za-z0-9]{1,30};)"
    r"|(?P<units>(?:\\u[0-9a-fA-F]{4})+)|(?P<bytes>(?:\\x[0-9a-fA-F]{2})+)"
    r"|(?:\\U|\\u\{|[uU]\+)(?P<point>[0-9a-fA-F]{1,8})\}?"
)
_DIGIT = re.compile("[0-9]")
# Pairs of digits, in one piece or apart; and the short words beside them, which would be numbers elsewhere.
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:0x)?(?:[0-9a-fA-F]{2}){4,}|(?:0x)?[0-9a-fA-F]{2}(?:[ :,-](?:0x)?[0-9a-fA-F]{2}){3,})"
    r"(?![0-9A-Za-z])"
)
_SHORT_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[2-7][0-9a-fA-F]){1,3}(?![0-9A-Za-z])")
_NO_HEX_DIGIT = re.compile(r"0x|[ :,-]")
_BITS = re.compile(r"[01]{8}(?:[ ,]?[01]{8}){3,}")
# Eleven characters of base64 hold eight of text.
_SIXTY_FOUR = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
_LEAST_DECODED = 8
_SIGNAL = re.compile(r"[.·•_–—-]{1,5}(?:[ /|]{1,3}[.·•_–—-]{1,5}){3,}")
_MORSE = dict(
    zip(
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..".split(),  # noqa: SIM905, E501 - the alphabet in one line
        "abcdefghijklmnopqrstuvwxyz",
        strict=True,
    )
)
_OVERRIDE = re.compile("\u202e([^\u202c-\u202e\u2066-\u2069\n]+)")


def decoded(text: str) -> View | None:
    """`text` with everything in code decoded, capitals and all; ``None`` where nothing is in code."""
    view = untouched(text)
    for _ in range(_DEPTH):
        before = view
        for undo in (_escapes, _hexadecimal, _binary, _base64, _morse, _override):
            view = undo(view) or view
        if view is before:
            break
    return view if view.undone else None


def _printable(code: bytes) -> str | None:
    try:
        text = code.decode("utf-8")
    except UnicodeDecodeError:
        return None
    # A word of letters, not digits that happen to be in range.
    readable = all(c.isprintable() or c in "\n\r\t" for c in text) and any(c.isalpha() for c in text)
    return text if readable else None


def _escapes(view: View) -> View | None:
    typed = view.text
    if not ("%" in typed or "&" in typed or "\\" in typed or "+" in typed):
        return None
    return substitute(view, _ESCAPE, _unescaped, "escapes")


def _unescaped(match: re.Match[str]) -> str | None:
    if match["entity"]:
        return html.unescape(match[0])
    if match["point"]:
        code = int(match["point"], 16)
        return chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else None
    units = match["units"]
    digits = units.replace("\\u", "") if units else re.sub(r"%|\\x", "", match[0])
    try:
        return bytes.fromhex(digits).decode("utf-16-be" if units else "utf-8")
    except UnicodeDecodeError:
        return None


def _hexadecimal(view: View) -> View | None:
    # Every code of a letter has a digit in it.
    if not _DIGIT.search(view.text):
        return None

    def change(match: re.Match[str]) -> str | None:
        digits = _NO_HEX_DIGIT.sub("", match[0])
        return None if len(digits) % 2 else _printable(bytes.fromhex(digits))

    found = substitute(view, _HEX, change, "hex")
    return found and (substitute(found, _SHORT_HEX, change, "hex") or found)


def _binary(view: View) -> View | None:
    if "0" not in view.text or "1" not in view.text:
        return None

    def change(match: re.Match[str]) -> str | None:
        bits = "".join(c for c in match[0] if c in "01")
        return _printable(int(bits, 2).to_bytes(len(bits) // 8, "big"))

    return substitute(view, _BITS, change, "binary")


def _base64(view: View) -> View | None:
    return substitute(view, _SIXTY_FOUR, _from_base64, "base64")


def _from_base64(match: re.Match[str]) -> str | None:
    body = match[0].rstrip("=").translate(_URL_SAFE)
    # Codes of text mix capitals and small letters; words do not, and this spares decoding them.
    if body[1:].islower() or body.isupper() or len(body) % 4 == 1:
        return None
    try:
        code = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return None
    text = _printable(code)
    return text if text is not None and len(text) >= _LEAST_DECODED else None


def _morse(view: View) -> View | None:
    typed = view.text
    if typed.isascii() and not (" ." in typed or " -" in typed or "/." in typed or "/-" in typed):
        return None
    return substitute(view, _SIGNAL, _from_morse, "morse")


_DOT_DASH = str.maketrans("·•_–—", "..---")


def _from_morse(match: re.Match[str]) -> str | None:
    words = re.split(r" *[/|] *| {2,}", match[0].translate(_DOT_DASH))
    letters = [[_MORSE.get(code) for code in word.split()] for word in words]
    # Rows of dots or dashes are ornaments.
    if len({c for word in letters for c in word}) < 3:
        return None
    spelt = ["".join(c for c in word if c is not None) for word in letters]
    return " ".join(spelt) if all(None not in word for word in letters) else None


def _override(view: View) -> View | None:
    if "\u202e" not in view.text:
        return None

    def change(match: re.Match[str]) -> str:
        return match[1][::-1]

    return substitute(view, _OVERRIDE, change, "reversed")
