"""Reading the sections of a file that stand beside its rules: head, thresholds, messages, terms."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from guardrail.policy.findings import shown
from guardrail.policy.model import Terms
from guardrail.policy.nodes import Node
from guardrail.policy.schema import HEAD, WORDS, Fields, Reader

__all__ = ["LANGUAGE_VERSION", "Head", "Places", "read_head", "read_messages", "read_terms", "read_thresholds"]

LANGUAGE_VERSION = (1, 0)
"""Version of the language of rule files, which `engine` in the head of a file is compared with."""

# https://semver.org, with the parts that name a pre-release or a build
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}(-[0-9A-Za-z.-]{1,32})?(\+[0-9A-Za-z.-]{1,32})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a BCP 47 tag
_REQUIREMENT = re.compile(r"\s*(>=|<=|==|>|<)\s*([0-9]{1,6}(?:\.[0-9]{1,6}){0,2})\s*")
# Scores of a deployment's own words: over the customary thresholds of their name, whatever these are set to.
WORD_SCORES = {"explicit": 0.9, "suggestive": 0.6}
MOST_TERMS = 10_000

Places = dict[str, tuple[int, int]]


class Head(NamedTuple):
    """Who the file is."""

    id: str = ""
    version: str = ""
    kind: Literal["policy", "pack"] = "policy"


def read_head(node: Node, reader: Reader) -> Head:
    """The mapping under `policy`."""
    head = reader.fields(node, HEAD)
    if not head:
        return Head()
    name = reader.name(head["id"].value, "the id of a policy") if "id" in head else None
    version = reader.text(head["version"].value, "`version`") if "version" in head else None
    if version is not None and not _VERSION.fullmatch(version):
        mend = "write three numbers, such as 1.0.0 (semantic versioning)"
        reader.findings.add("GP025", head["version"].value, f"{shown(version)} is not a version", mend)
    kind = reader.word(head["kind"].value, "`kind`", ("policy", "pack")) if "kind" in head else None
    if "engine" in head:
        _engine(head["engine"].value, reader)
    if "changelog" in head:
        reader.text(head["changelog"].value, "`changelog`")
    return Head(name or "", version or "", cast(Literal["policy", "pack"], kind or "policy"))


def _engine(node: Node, reader: Reader) -> None:
    text = reader.text(node, "`engine`")
    if text is None:
        return
    parts = [_REQUIREMENT.fullmatch(part) for part in text.split(",")]
    if None in parts:
        reader.findings.add(
            "GP029", node, f"{shown(text)} does not say which versions", 'write it such as ">=1" or ">=1,<2"'
        )
        return
    for part in parts:
        assert part is not None
        wanted = tuple(map(int, part[2].split(".")))
        have = (*LANGUAGE_VERSION, 0, 0)[: len(wanted)]
        met = {">=": have >= wanted, "<=": have <= wanted, "==": have == wanted, ">": have > wanted, "<": have < wanted}
        if not met[part[1]]:
            version = ".".join(map(str, LANGUAGE_VERSION))
            message = f"this guardrail reads version {version} of the language, not {shown(part[0].strip())}"
            reader.findings.add("GP021", node, message, "update guardrail, or use a file made for this version")
            return


def read_thresholds(
    fields: Fields, reader: Reader, families: frozenset[str], places: Places
) -> dict[str, dict[str, float]]:
    """Family → name → number; where each stands goes into `places`."""
    found: dict[str, dict[str, float]] = {}
    if "thresholds" not in fields:
        return found
    mapping = reader.mapping(fields["thresholds"].value, "`thresholds`")
    for family, body in mapping.entries if mapping else ():
        if family.text not in families:
            reader.findings.unknown("GP033", family, "threshold family", family.text, families)
            continue
        names = reader.mapping(body, f"the thresholds of {family.text}")
        for key, value in names.entries if names else ():
            name = reader.name(key, "the name of a threshold")
            number = reader.number(value, f"{family.text}.{key.text}", 0.0, 1.0)
            if name is not None:
                # A number that is wrong was noted: 0.0 keeps its uses from being called unknown as well.
                found.setdefault(family.text, {})[name] = number or 0.0
                places[f"thresholds.{family.text}.{name}"] = key.line, key.column
    return found


def read_messages(fields: Fields, reader: Reader, places: Places) -> dict[str, dict[str, str]]:
    """Name → language → text; where each stands goes into `places`."""
    found: dict[str, dict[str, str]] = {}
    if "messages" not in fields:
        return found
    mapping = reader.mapping(fields["messages"].value, "`messages`")
    for key, body in mapping.entries if mapping else ():
        reader.name(key, "the name of a message")
        found[key.text] = {}
        places[f"messages.{key.text}"] = key.line, key.column
        texts = reader.mapping(body, f"the message {key.text}")
        if texts is not None and not texts.entries:
            reader.findings.add(
                "GP028", body, f"the message {shown(key.text)} has no text", 'add one, such as `en: "…"`'
            )
        for language, node in texts.entries if texts else ():
            if not _LANGUAGE.fullmatch(language.text):
                message = f"{shown(language.text)} is not a language code"
                reader.findings.add("GP028", language, message, "write its short code, such as en, ko or pt-BR")
            text = reader.text(node, f"the text of {key.text}")
            if text is not None:
                found[key.text][language.text] = text
    return found


def read_terms(fields: Fields, reader: Reader) -> Terms:
    """A deployment's own names, words and exemptions."""
    words: list[tuple[str, float]] = []
    if "words" in fields:
        groups = reader.fields(fields["words"].value, WORDS) or {}
        words = [(word, WORD_SCORES[name]) for name, entry in groups.items() for word in _texts(entry.value, reader)]
    names = _texts(fields["names"].value, reader) if "names" in fields else ()
    exempt = _texts(fields["exempt"].value, reader) if "exempt" in fields else ()
    return Terms(tuple(names), tuple(words), tuple(exempt))


def _texts(node: Node, reader: Reader) -> tuple[str, ...]:
    items = reader.one_or_many(node)
    if len(items) > MOST_TERMS:
        reader.findings.add("GP009", node, f"the list has more than {MOST_TERMS:,} entries", "shorten it")
        return ()
    return tuple(text for text in (reader.text(item, "an entry") for item in items) if text)
