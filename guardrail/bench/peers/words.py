"""Word lists: a package of others, guardrail's own lists without its classifier, and files of the user's."""

from __future__ import annotations

import importlib
import re
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from guardrail.bench.peers.base import Answer, NotHere, Opened, Peer, package_version, without
from guardrail.version import __version__

__all__ = ["better_profanity", "own_lists", "pickled", "word_list"]

# Where the shipped policies block on `prompt.sexual`.
EXPLICIT = 0.70
LONGEST_LIST = 8 << 20  # bytes


def better_profanity() -> Peer:
    """better-profanity: English swear words with spellings in digits and signs. Its last release is of 2020."""
    return Peer(
        "better-profanity",
        "text",
        _better_profanity,
        package_version("better-profanity"),
        "MIT",
        "any listed word",
        "a list of English words",
        without("better_profanity", "better-profanity"),
    )


def _better_profanity() -> Opened:
    made: Any = importlib.import_module("better_profanity").Profanity()
    return Opened(lambda text: Answer("block" if made.contains_profanity(text) else "allow"))


def own_lists() -> Peer:
    """The lists of sixteen languages that ship with guardrail, read through its normaliser, without the classifier."""
    return Peer(
        "guardrail word lists",
        "text",
        _own_lists,
        __version__,
        "Apache-2.0",
        f"score ≥ {EXPLICIT:g}, where the shipped policies block",
        "lists written for guardrail",
    )


def _own_lists() -> Opened:
    from guardrail.checks.text.normalise import read
    from guardrail.checks.text.sexual import SexualWords

    words = SexualWords()
    words.load()

    def judge(text: str) -> Answer:
        score, _ = words.found(read(text))
        return Answer("block" if score >= EXPLICIT else "allow", score)

    return Opened(judge)


def word_list(name: str, path: Path) -> Peer:
    """A list of the user's: a term a line, found as whole words in any case. Lines that begin with # are none."""
    return Peer(name, "text", partial(_word_list, path), decides="any listed word", learned=f"the list {path.name}")


def _word_list(path: Path) -> Opened:
    """Raises NotHere where it cannot be read or has no term."""
    try:
        content = path.read_bytes()[: LONGEST_LIST + 1]
        lines = content.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise NotHere(f"{path} cannot be read as UTF-8: name a file with a term a line") from None
    if len(content) > LONGEST_LIST:
        raise NotHere(f"{path} is over {LONGEST_LIST >> 20} MiB: no word list")
    terms = sorted({" ".join(line.casefold().split()) for line in lines if line.strip() and line[0] != "#"})
    if not terms:
        raise NotHere(f"{path} has no term: write one a line")
    # Longest first, so that a phrase is not read as its first word; whole words by what is no word beside them.
    by_length = sorted(terms, key=lambda term: (-len(term), term))
    found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, by_length))})(?!\w)")
    return Opened(
        lambda text: Answer("block" if found.search(" ".join(text.casefold().split())) else "allow"),
        {"terms": f"{len(terms):,}", "sha256": sha256(content).hexdigest()},
    )


def pickled() -> Peer:
    """alt-profanity-check (maintained, the successor of profanity-check): named, and never run."""
    return Peer(
        "alt-profanity-check",
        "text",
        _refused,
        package_version("alt-profanity-check"),
        "MIT",
        "a linear classifier",
        "comments of social media, as its authors say",
        "its models are pickles (joblib), which run code when they are loaded: guardrail loads none",
    )


def _refused() -> Opened:
    raise NotHere("its models are pickles: guardrail loads none")
