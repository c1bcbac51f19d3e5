"""Models of the user's own, named in a file of JSON or YAML: a list of mappings from a class's arguments to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigurationError

__all__ = ["read_models"]

# Arguments that may name a folder; each class has one of them.
PLACES = ("model", "source")


def read_models(
    path: str | Path,
    what: str,
    kinds: Mapping[str, Any],
    convert: Callable[[dict[str, Any], str], None],
) -> tuple[Any, ...]:
    """The models that a file names, each by its ``kind`` and the arguments of that class.

    Args:
        path: the file; folders in it are relative to it.
        what: how messages call such a model.
        kinds: the name of each kind → its dataclass.
        convert: turns values of the file into those of the class, in place; told where in the file they stand.

    Raises:
        ConfigurationError: it cannot be read, or names something unknown; with the place in the list.
    """
    import yaml

    path = Path(path)
    try:
        listed = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the list of {what}s {path} cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the list of {what}s {path} is neither JSON nor YAML: {error}") from None
    if not isinstance(listed, list):
        raise ConfigurationError(f"{path} must hold a list of {what}s, not {type(listed).__name__}")
    return tuple(_one(entry, f"{path}, model {i}", path.parent, kinds, convert) for i, entry in enumerate(listed, 1))


def _one(
    entry: Any, where: str, folder: Path, kinds: Mapping[str, Any], convert: Callable[[dict[str, Any], str], None]
) -> Any:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: it must be a mapping, not {type(entry).__name__}")
    given = dict(entry)
    kind = kinds.get(str(given.pop("kind", "")))
    if kind is None:
        raise ConfigurationError(f"{where}: kind must be one of {', '.join(kinds)}")
    known = {f.name for f in fields(kind)}
    unknown = sorted(str(key) for key in given if key not in known)
    if unknown:
        raise ConfigurationError(f"{where}: unknown {', '.join(unknown)}; there is: {', '.join(sorted(known))}")
    place = next(p for p in PLACES if p in known)
    if not isinstance(given.get(place), str):
        raise ConfigurationError(f"{where}: {place} must name a folder or what is in the hub's cache")
    if (folder / given[place]).is_dir():
        given[place] = str(folder / given[place])
    convert(given, where)
    try:
        return kind(**given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    except TypeError:
        raise ConfigurationError(f"{where}: a value has the wrong type") from None
