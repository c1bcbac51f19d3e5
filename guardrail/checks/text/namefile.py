"""Large lists of names in one compact file: a trie that is asked where in a text a name begins.

The file is one line of JSON (format, kind, count, sha256 of the rest) and a MARISA trie (marisa-trie; MIT, the library
in it BSD-2-Clause or LGPL-2.1). Keys are names as texts are read: no case, no accents, single spaces; names in scripts
without spaces are kept without separators. It is made by `guardrail names build` from the user's own sources.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guardrail.checks.text.found import NameMatch
from guardrail.checks.text.lexicon import TokenText, is_unspaced, tokens_of
from guardrail.checks.text.name_context import is_place, squeezed, stands_alone
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.wordlists import common_words
from guardrail.drafts import write_whole
from guardrail.errors import ConfigurationError, MissingExtra

__all__ = ["SUFFIX", "NameFile", "build", "key_of"]

SUFFIX = ".names"
FORMAT = "guardrail-names/1"
LONGEST = 80  # characters of a key; longer ones are no names of people
_MATCH = 0.95

Kind = Literal["public", "private"]


def key_of(name: str) -> tuple[str, str]:
    """The key of a name, and why it is left out (then the key is empty).

    Measured on 30,000 captions: names of several words hardly ever stand there by chance; single words do (11.7 % of
    the captions for one list of stage names), and so do names that are made of ordinary words, such as "the edge".
    """
    text = plain(name.strip()).text
    if is_unspaced(text):
        joined, _ = squeezed(text)
        # Two syllables of Hangul are an ordinary word far too often.
        if len(joined) < (3 if "\uac00" <= joined[0] <= "\ud7a3" else 2):
            return "", "too short to be told from a word"
        return (joined, "") if len(joined) <= LONGEST else ("", "too long")
    words = [word for word in TokenText(plain(text)).words if word != ","]
    if len(words) < 2:
        return "", "a single word" if words else "no letters"
    if all(word in common_words() for word in words):
        return "", "ordinary words only"
    key = " ".join(words)
    return (key, "") if len(key) <= LONGEST else ("", "too long")


def build(names: Iterable[str], path: Path, *, kind: Kind = "private") -> tuple[int, Counter[str]]:
    """Write a file of names.

    Returns:
        How many names are in it, and how many were left out by reason.

    Raises:
        MissingExtra: marisa-trie is not installed.
        ConfigurationError: no name is left, or the file cannot be written.
    """
    marisa = _marisa()
    keys: set[str] = set()
    left_out: Counter[str] = Counter()
    for name in names:
        key, reason = key_of(name)
        if reason:
            left_out[reason] += 1
        elif key in keys:
            left_out["there already"] += 1
        else:
            keys.add(key)
    if not keys:
        raise ConfigurationError("none of the names can be used: give full names, one a line")
    body: bytes = marisa.Trie(sorted(keys)).tobytes()
    head = {"format": FORMAT, "kind": kind, "count": len(keys), "sha256": hashlib.sha256(body).hexdigest()}
    try:
        write_whole(path, json.dumps(head).encode() + b"\n" + body)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    return len(keys), left_out


@dataclass(frozen=True, slots=True)
class NameFile:
    """A file of names, loaded.

    Attributes:
        kind: what its people are to a policy.
        count: how many names are in it.
        sha256: of the names; goes into the record as what the check ran on.
    """

    path: str
    kind: Kind
    count: int
    sha256: str
    _trie: Any

    @classmethod
    def load(cls, path: str | Path) -> NameFile:
        """Read a file that `build` wrote.

        Raises:
            MissingExtra: marisa-trie is not installed.
            ConfigurationError: it cannot be read, is something else, or is damaged.
        """
        marisa = _marisa()
        try:
            head_line, _, body = Path(path).read_bytes().partition(b"\n")
        except OSError as error:
            raise ConfigurationError(f"the names in {path} cannot be read: {error.strerror}") from None
        rebuild = "make it anew with: guardrail names build"
        try:
            head = json.loads(head_line)
            known = head["format"] == FORMAT and head["kind"] in ("public", "private")
        except (ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise ConfigurationError(f"{path} is no file of names that this guardrail reads; {rebuild}")
        # Checked before the trie sees it: its reader trusts what it reads.
        if hashlib.sha256(body).hexdigest() != head.get("sha256"):
            raise ConfigurationError(f"{path} is damaged; {rebuild}")
        return cls(str(path), head["kind"], int(head["count"]), head["sha256"], marisa.Trie().frombytes(body))

    def find(self, view: View) -> Iterator[NameMatch]:
        """Where a name of the list stands in one reading of a text; of names that begin at one place the longest."""
        tokens = tokens_of(view)
        yield from self._in_words(tokens)
        if tokens.unspaced:
            yield from self._in_characters(view)

    def _in_words(self, tokens: TokenText) -> Iterator[NameMatch]:
        joined = tokens.joined
        for start in tokens.starts:
            keys = self._trie.prefixes(joined[start : start + LONGEST])
            ends = [start + len(key) for key in keys if not is_unspaced(key)]
            whole = [end for end in ends if joined[end : end + 1] in ("", " ")]
            if not whole:
                continue
            at = bisect.bisect_left(tokens.starts, start)
            if is_place(tokens.words, at, bisect.bisect_left(tokens.starts, whole[-1])):
                continue
            first, last = tokens.original(start, whole[-1])
            yield NameMatch(first, last, _MATCH, self.kind, "own-name", tokens.view.undone)

    def _in_characters(self, view: View) -> Iterator[NameMatch]:
        text, kept = squeezed(view.text)
        for i in range(len(text)):
            for key in reversed(self._trie.prefixes(text[i : i + LONGEST])):
                first, last = kept[i], kept[i + len(key) - 1]
                if is_unspaced(key) and stands_alone(view.text, first, last + 1, key, True):
                    yield NameMatch(*view.original(first, last + 1), _MATCH, self.kind, "own-name", view.undone)
                    break


def _marisa() -> Any:
    try:
        import marisa_trie
    except ImportError:
        raise MissingExtra("a file of names", "names") from None
    return marisa_trie
