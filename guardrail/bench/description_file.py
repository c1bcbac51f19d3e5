"""A description of data as YAML: its fields one by one, and what is wrong named by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from guardrail.bench.files import DataError
from guardrail.bench.layout import own_label
from guardrail.bench.text import visible

__all__ = ["Table", "inside"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 20
_LONGEST = 4_000  # characters of a text in it


def inside(path: str) -> bool:
    """Whether a path stays below the folder that it is relative to, on every system."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and ":" not in path


class Table:
    """A description as YAML, with the lines that its fields stand on."""

    def __init__(self, path: Path) -> None:
        import yaml

        self._path = path
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise DataError(f"{path} is longer than {_MOST_BYTES >> 20} MiB: it is no description")
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text("utf-8"))
            node = loader.get_single_node()
            self._lines: dict[str, int] = {}
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                line = key.start_mark.line + 1
                if self._lines.setdefault(str(key.value), line) != line:
                    raise DataError(f"{path}:{line}: names {visible(str(key.value)[:40])!r} a second time: keep one")
            told = loader.construct_document(node) if node is not None else None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataError(f"{path} is no UTF-8: convert the file") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = 1 if mark is None else mark.line + 1
            why = visible(str(getattr(error, "problem", None) or "not to be understood"))
            raise DataError(f"{path}:{line}: no YAML ({why}): put a text with a colon in quotes") from None
        except (RecursionError, ValueError, TypeError):
            raise DataError(f"{path} holds what no description has: see guardrail/bench/descriptions.py") from None
        if not isinstance(told, dict):
            raise DataError(f"{path}:1: is no table of name, version, files, licence, …")
        self._told = told

    def wrong(self, name: str, what: str) -> DataError:
        return DataError(f"{self._path}:{self._lines.get(name, 1)}: {name} {what}")

    def holds(self, needed: tuple[str, ...]) -> None:
        """Raises DataError with all that is missing at once: it is written in one go."""
        missing = [name for name in needed if name not in self._told]
        if missing:
            raise DataError(
                f"{self._path}:1: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; a description "
                f"needs {', '.join(needed)}: benchmarks/data/README.md has a short one"
            )

    def nothing_else(self, known: set[str]) -> None:
        unknown = next((str(name) for name in self._told if name not in known), None)
        if unknown is not None:
            raise self.wrong(
                visible(unknown[:40]), f"is no field of a description: they are {', '.join(sorted(known))}"
            )

    def text(self, name: str, usual: str | None = None) -> str:
        value = self._told.get(name)
        if value is None and usual is not None:
            return usual
        return self._text(name, value)

    def _text(self, name: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise self.wrong(name, 'is missing, or is no text: write it in quotes, such as version: "1"')
        if len(str(value)) > _LONGEST:
            raise self.wrong(name, f"is longer than {_LONGEST} characters: shorten it")
        return visible(" ".join(str(value).split()))

    def texts(self, name: str, *, needed: bool = True) -> tuple[str, ...]:
        value = self._told.get(name, None if needed else [])
        if not isinstance(value, list):
            raise self.wrong(name, f"is missing, or is no list: write {name}: [first, second], or [] for none")
        return tuple(self._text(name, one) for one in value)

    def words(self, name: str, *, needed: bool = False) -> dict[str, str]:
        value = self._told.get(name, None if needed else {})
        if not isinstance(value, dict):
            raise self.wrong(
                name, f"is missing, or is no table: write {name}: {{first: its meaning}}, or {{}} for none"
            )
        made: dict[str, str] = {}
        for key, meaning in value.items():
            word = own_label(key)
            if word is None or len(word) > _LONGEST:
                raise self.wrong(name, "has a name that is no word: write it in quotes")
            made[visible(word)] = self._text(name, meaning)
        return made

    def files(self) -> dict[str, str]:
        value = self._told.get("files")
        if not isinstance(value, list) or not value:
            raise self.wrong("files", "is missing: list them as - {path: …, sha256: …}")
        return dict(self._files(value))

    def _files(self, value: list[Any]) -> Iterator[tuple[str, str]]:
        seen = set()
        for one in value:
            if not isinstance(one, dict) or set(one) != {"path", "sha256"}:
                raise self.wrong("files", "holds something else than {path: …, sha256: …}")
            path, digest = str(one["path"]), str(one["sha256"])
            if not inside(path):
                raise self.wrong("files", "has a path that leads out of the folder of the data: write it below that")
            if not _SHA256.fullmatch(digest):
                raise self.wrong("files", f"has no sha256 for {visible(path)!r}: 64 hex digits, as sha256sum prints")
            if path in seen:
                raise self.wrong("files", f"names {visible(path)!r} twice: keep one")
            seen.add(path)
            yield path, digest
