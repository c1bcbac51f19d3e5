"""Rows drawn from the grammars in ``grammar/``: see its README for the format."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.checks.text.wordlists import load_list  # noqa: E402 — after the path is set

FOLDER = Path(__file__).resolve().parent / "grammar"
LABELS = ("sexual", "nudity-artistic", "undress-edit", "minor-context", "person-depiction")
NEVER_WITH_MINORS = {"sexual", "nudity-artistic", "undress-edit"}

_HEADER = re.compile(r"\[(slot|rows) ([^\]]+)\]")
_HOLE = re.compile(r"\{([^{}]*)\}|\(([^()]*)\)")
_DEEPEST = 10


@dataclass(frozen=True)
class Template:
    labels: frozenset[str]
    text: str
    where: str


class Grammar:
    """The grammar of one language, of all files ``LANG.txt`` and ``LANG-*.txt``.

    Raises:
        ValueError: a file breaks the format, or joins minors with anything sexual.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._slots: dict[str, list[str]] = {}
        self.templates: list[Template] = []
        for path in sorted([*FOLDER.glob(f"{lang}.txt"), *FOLDER.glob(f"{lang}-*.txt")]):
            self._read(path)
        for name, low, high in (("explicit", 0.7, 2.0), ("suggestive", 0.4, 0.7)):
            self._slots[name] = [
                line
                for section in load_list("sexual", lang).sections
                if not section.pattern and low <= section.weight < high
                for line in section.lines
                if "^" not in line and "$" not in line
            ]

    def _read(self, path: Path) -> None:
        # A slot belongs to its file: two files of a language may use one name for different things.
        prefix = f"{path.stem}:"
        slot: list[str] | None = None
        labels: frozenset[str] = frozenset()
        for number, raw in enumerate(path.read_text("utf-8").splitlines(), 1):
            line, where = raw.strip(), f"{path.name}:{number}"
            if not line or line.startswith("#"):
                continue
            header = _HEADER.fullmatch(line)
            if header and header[1] == "slot":
                slot = self._slots.setdefault(prefix + header[2].strip(), [])
            elif header:
                slot, labels = None, frozenset(header[2].split())
                self._allowed(labels, where)
            elif slot is not None:
                slot.append(line)
            else:
                self.templates.append(Template(labels, line, where))

    @staticmethod
    def _allowed(labels: frozenset[str], where: str) -> None:
        if labels != {"benign"} and not labels <= set(LABELS):
            raise ValueError(f"{where}: unknown labels {sorted(labels - set(LABELS))}")
        if "minor-context" in labels and labels & NEVER_WITH_MINORS:
            raise ValueError(f"{where}: minors are never joined with anything sexual")

    def draw(self, template: Template, rng: Random) -> str:
        """One row of `template`."""
        prefix = template.where.partition(":")[0].removesuffix(".txt") + ":"
        return self._filled(template.text, prefix, template.where, rng, 0)

    def _filled(self, text: str, prefix: str, where: str, rng: Random, depth: int) -> str:
        if depth > _DEEPEST:
            raise ValueError(f"{where}: slots that hold each other")
        while hole := _HOLE.search(text):
            if hole[1] is not None:
                choices = self._slots.get(prefix + hole[1]) or self._slots.get(hole[1])
                if not choices:
                    raise ValueError(f"{where}: no slot {{{hole[1]}}}")
                new = self._filled(rng.choice(choices), prefix, where, rng, depth + 1)
                new = re.sub(r"[(){}]", "", new)
            else:
                new = rng.choice(hole[2].split("|"))
            text = text[: hole.start()] + new + text[hole.end() :]
        return re.sub(r"\s+", " ", text).strip()


def languages() -> list[str]:
    return sorted({path.stem.partition("-")[0] for path in FOLDER.glob("*.txt")})
