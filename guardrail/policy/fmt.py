"""Rule files in one form: keys in a fixed order, comparisons in double quotes. Comments move with what they stand by.

Text is moved, never written anew: what is not out of order stays as its author wrote it, to the character. A formatted
file is loaded and compared with the one before; where they differ in anything but places, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from guardrail.policy.schema import CASE, DEPLOYMENT, FILE, HEAD, RULE
from guardrail.policy.spans import Span, spans
from guardrail.policy.when import _COMPARISON
from guardrail.signals import CORE, Items, Score, Vocabulary

__all__ = ["format_text"]

_Edit = tuple[int, int, str]

# As the shipped policies are written: what the rule is, where it looks, what it does, what it says.
_RULE = ("id", "locked", "severity", "mode", "on_missing", "at", "when", "then", "message", "refs")
_FILE_ORDER = (*FILE.allowed, *(key for key in DEPLOYMENT.allowed if key not in FILE.allowed))
_RULE_ORDER = (*_RULE, *(key for key in RULE.allowed if key not in _RULE))


def format_text(text: str, vocabulary: Vocabulary = CORE) -> str:
    """The text of a rule file, a deployment file or a test file in canonical form.

    Args:
        text: without errors; line ends and a byte order mark stay as they are.
        vocabulary: tells which signals are scores.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    crlf = "\r\n" in text
    text = text.removeprefix(mark).replace("\r\n", "\n")
    text = _edited(text, [_ordered(text, spans(text), _FILE_ORDER)])
    text = _edited(text, _inner(text, spans(text)))
    text = _edited(text, _quoted(text, spans(text), vocabulary))
    text = text if text.endswith("\n") else text + "\n"
    return mark + (text.replace("\n", "\r\n") if crlf else text)


def _edited(text: str, edits: Iterable[_Edit | None]) -> str:
    for start, end, new in sorted((e for e in edits if e is not None), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _inner(text: str, root: Span) -> Iterator[_Edit | None]:
    if head := root.get("policy"):
        yield _ordered(text, head, HEAD.allowed)
    for key, order in (("rules", _RULE_ORDER), ("override", _RULE_ORDER), ("tests", CASE.allowed)):
        for item in (root.get(key) or root._replace(entries=())).items:
            yield _ordered(text, item, order)


# ---- order of keys


def _ordered(text: str, mapping: Span, order: Sequence[str]) -> _Edit | None:
    """What puts the keys of a mapping in order; None where they are, or where a comment would lose its place."""
    keys = [key.text for key, _ in mapping.entries if key is not None]
    if len(keys) < 2 or any(key not in order for key in keys):
        return None
    wanted = sorted(range(len(keys)), key=lambda i: order.index(keys[i]))
    if wanted == list(range(len(keys))):
        return None
    return _flow(text, mapping, wanted) if mapping.style == "{" else _block(text, mapping, wanted)


def _flow(text: str, mapping: Span, wanted: Sequence[int]) -> _Edit | None:
    """Between brackets: the entries change places, what stands between them does not."""
    bounds = [(key.start, value.end) for key, value in mapping.entries if key is not None]
    between = [text[end:start] for (_, end), (start, _) in pairwise(bounds)]
    if any("#" in separator for separator in between):
        return None
    entries = [text[slice(*bounds[i])] for i in wanted]
    new = entries[0] + "".join(a + b for a, b in zip(between, entries[1:], strict=True))
    return bounds[0][0], bounds[-1][1], new


def _block(text: str, mapping: Span, wanted: Sequence[int]) -> _Edit | None:
    """Over lines: an entry moves with the comment lines above it and with those indented below it."""
    starts = [key.start for key, _ in mapping.entries if key is not None]
    begin = text.rfind("\n", 0, starts[0]) + 1
    prefix = text[begin : starts[0]]  # of the first key: blanks, or the dash of a list
    indent = " " * len(prefix)
    if prefix.strip(" -") or any(text[s - len(indent) - 1 : s] != "\n" + indent for s in starts[1:]):
        return None  # an explicit key (`? key`), or several brackets of lists in one line
    ends = [_end(text, value, len(indent)) for value in mapping.items]
    bodies = [text[s:e] for s, e in zip(starts, ends, strict=True)]
    # From the line after an entry to the line of the next: comments and empty lines.
    above = ["", *(text[e + 1 : s - len(indent)] for e, s in zip(ends, starts[1:], strict=False))]
    if not prefix.strip():
        begin, above[0] = _own_comment(text, begin, whole_file=not prefix)
    first = wanted[0]
    if first:
        comment = above[first].lstrip("\n")
        # What comes first takes its comment above the dash; the empty lines above it go to what stood there before.
        above[0] = above[first][: len(above[first]) - len(comment)] + above[0]
        dash = " " * (len(prefix) - len(prefix.lstrip(" ")))
        above[first] = "".join(dash + line.lstrip(" ") if line.strip() else line for line in comment.splitlines(True))
    lines = [above[first] + prefix + bodies[first]]
    lines += [above[i] + indent + bodies[i] for i in wanted[1:]]
    return begin, ends[-1], "\n".join(lines)


def _own_comment(text: str, begin: int, *, whole_file: bool) -> tuple[int, str]:
    """The comment lines above a first key, and where they begin. The head of a file belongs to none of its keys."""
    lines = text[:begin].splitlines(keepends=True)
    own = len(lines)
    while own and (lines[own - 1].lstrip(" ").startswith("#") or not (whole_file or lines[own - 1].strip())):
        own -= 1
    if not any(line.strip() for line in lines[:own]):
        return begin, ""
    comment = "".join(lines[own:])
    return begin - len(comment), comment


def _end(text: str, value: Span, column: int) -> int:
    """Where the last line of an entry ends; comment lines below it belong to it if indented deeper than `column`."""
    tail = value.tail
    if tail.style in ("|", ">"):
        end = tail.end - 1 if text[tail.end - 1] == "\n" else tail.end
        if not tail.text.endswith("\n\n"):  # empty lines below a block are not of it, unless it keeps them (`|+`)
            end = len(text[:end].rstrip("\n"))
    else:
        end = text.find("\n", tail.end)
        end = len(text) if end < 0 else end
    at = end + 1
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop]
        if line.lstrip(" ").startswith("#") and len(line) - len(line.lstrip(" ")) > column:
            end = stop
        elif line.strip():
            break
        at = stop + 1
    return end


# ---- comparisons


def _quoted(text: str, root: Span, vocabulary: Vocabulary) -> list[_Edit]:
    found: list[_Edit] = []
    for key in ("rules", "override"):
        for rule in (root.get(key) or root._replace(entries=())).items:
            if when := rule.get("when"):
                for scalar in _comparisons(when, vocabulary):
                    match = _COMPARISON.fullmatch(scalar.text)
                    new = f'"{match[1]} {match[2]}"' if match else ""
                    if new and scalar.style not in ("|", ">") and text[scalar.start : scalar.end] != new:
                        found.append((scalar.start, scalar.end, new))
    return found


def _comparisons(condition: Span, vocabulary: Vocabulary) -> Iterator[Span]:
    """The scalars that a score is compared with."""
    for key, value in condition.entries:
        if key is None:
            continue
        if key.text in ("any", "all"):
            for part in value.items:
                yield from _comparisons(part, vocabulary)
        elif key.text == "not":
            yield from _comparisons(value, vocabulary)
        elif key.text in vocabulary:
            kind = vocabulary[key.text].kind
            if isinstance(kind, Score):
                yield value
            elif isinstance(kind, Items):
                for body in value.items:
                    yield from (v for k, v in body.entries if k and isinstance(kind.fields.get(k.text), Score))
