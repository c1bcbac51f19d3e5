"""The text in a code that a person would have to undo."""

from __future__ import annotations

import base64 as b64
import codecs
from random import Random

from guardrail.bench.attacks.family import WORD, each

__all__ = ["base64", "escapes", "hex_", "reversed_", "rot13"]


def base64(text: str, rng: Random) -> str:
    """The whole text in base64, standard or url-safe, with padding or without."""
    code = rng.choice((b64.b64encode, b64.urlsafe_b64encode))(text.encode()).decode()
    return code.rstrip("=") if rng.random() < 0.5 else code


def rot13(text: str, rng: Random) -> str:
    """Every Latin letter thirteen places on."""
    return codecs.encode(text, "rot13")


def reversed_(text: str, rng: Random) -> str:
    """The whole text backwards, or each word of it."""
    return text[::-1] if rng.random() < 0.5 else each(WORD, text, lambda w: w[::-1])


def hex_(text: str, rng: Random) -> str:
    """The bytes of the text, or of each word, in hexadecimal digits."""
    form = rng.randrange(3)
    if form == 0:
        return text.encode().hex()
    return text.encode().hex(" ") if form == 1 else each(WORD, text, lambda w: w.encode().hex())


def escapes(text: str, rng: Random) -> str:
    """Letters percent-encoded, as HTML entities or as escapes of a programming language."""

    def percent(c: str) -> str:
        return "".join(f"%{b:02x}" for b in c.encode())

    def backslash(c: str) -> str:
        return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"

    code = rng.choice((percent, backslash, lambda c: f"&#{ord(c)};", lambda c: f"&#x{ord(c):x};"))
    return "".join(code(c) if c.isalpha() else c for c in text)
