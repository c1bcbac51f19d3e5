"""What a result holds beside its pictures, and what of it leaves.

Nobody looks at a second picture, a latent or a list of key frames that stands beside the pictures of a result, and it
shows the same as they do. So only what can show nothing leaves: numbers, switches, words, places and cameras; and
sound, of which the decision says that it is not judged. Everything else is taken out, whatever it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from guardrail.decision import Coverage
from guardrail.media.arrays import is_array, is_tensor
from guardrail.pipelines.arguments import leaves_of
from guardrail.pipelines.kinds import Kind
from guardrail.pipelines.sources import returned_values

__all__ = ["HARMLESS", "SOUND", "Beside", "returned_in_tuples"]

SOUND = frozenset({"audio", "audios", "sound"})
HARMLESS: Mapping[str, int] = {"c2w": 4, "video_c2w": 4, "action": 2, "action_output": 2, "keyframe_positions": 2}
"""Arrays of numbers that show nothing, by name, and the most dimensions that one has: cameras, movements of a robot."""
WIDEST = 64
"""Numbers in a row of those: a camera has 16, a robot moves 7 to 30 joints."""
_SHOWS_NOTHING = frozenset({Kind.TEXT, Kind.PLAIN, Kind.FILE})


class Beside:
    """The other values of one result.

    Args:
        value: what the pipeline returned: an output of diffusers or the like, or a tuple. Others have no other values.
        field: under which name or at which place of it the pictures are.
        names: names of the places of a tuple, as far as they are known (see `returned_in_tuples`).
    """

    def __init__(self, value: Any, field: str | int, names: Mapping[int, frozenset[str]]) -> None:
        self._value = value
        self._field = field
        self._names = names
        media = dict(self._all()).get(field)
        self._others = [(k, v) for k, v in self._all() if k != field and v is not None and v is not media]
        self.same = [k for k, v in self._all() if k != field and v is not None and v is media]
        """Where the very same object stands a second time."""

    def _all(self) -> Iterator[tuple[str | int, Any]]:
        if isinstance(self._value, tuple) and not hasattr(self._value, "keys"):
            yield from enumerate(self._value)
        elif hasattr(self._value, "keys"):
            # Attributes as well: a class of one's own may keep more than it shows as keys.
            names = dict.fromkeys([*map(str, self._value.keys()), *getattr(self._value, "__dict__", {})])
            yield from ((n, getattr(self._value, n, None)) for n in names if n != "guardrail")

    def _called(self, key: str | int) -> frozenset[str]:
        return frozenset({key}) if isinstance(key, str) else self._names.get(key, frozenset({""}))

    def _is_sound(self, key: str | int, value: Any) -> bool:
        sounds = is_array(value) or (isinstance(value, list | tuple) and all(is_array(v) for v in value))
        return sounds and self._called(key) <= SOUND

    def _leaves(self, key: str | int, value: Any) -> bool:
        return self._is_sound(key, value) or all(_shows_nothing(name, value) for name in self._called(key))

    def coverage(self) -> list[Coverage]:
        """What is taken out, and what leaves without having been judged."""
        notes = []
        for key, value in self._others:
            where = f"output.{key}" if isinstance(key, str) else f"output[{key}]"
            if self._is_sound(key, value):
                notes.append(Coverage("audio", where, "sound is not judged"))
            elif not self._leaves(key, value):
                notes.append(Coverage("output-withheld", where, "only the pictures are judged"))
        return notes

    def leaving(self, away: Collection[int], outputs: int) -> dict[str | int, Any]:
        """The values that do not leave as they are, and what leaves in their place.

        Args:
            away: outputs whose pictures are others now; the sound of none of them leaves.
            outputs: how many there are.
        """
        changed: dict[str | int, Any] = {}
        for key, value in self._others:
            if not self._leaves(key, value):
                changed[key] = None
            elif self._is_sound(key, value) and away:
                changed[key] = _silenced(value, away, outputs)
        return changed


def _shows_nothing(name: str, value: Any) -> bool:
    if name in HARMLESS:
        parts = value if isinstance(value, list | tuple) else [value]
        if all(is_array(p) and p.ndim <= HARMLESS[name] and (not p.ndim or p.shape[-1] <= WIDEST) for p in parts):
            return True
    return all(leaf.kind in _SHOWS_NOTHING for leaf in leaves_of(name, value))


def _silenced(sound: Any, away: Collection[int], outputs: int) -> Any:
    """The sound of the outputs `away` as silence; none at all where it is not told which is whose."""
    if not is_array(sound) or sound.ndim < 2 or len(sound) != outputs or len(set(away)) == outputs:
        return None
    silent = sound.clone() if is_tensor(sound) else sound.copy()
    silent[list(away)] = 0
    return silent


@lru_cache(maxsize=256)
def returned_in_tuples(call: Any) -> Mapping[int, frozenset[str]]:
    """The names at each place of ``return (video, audio)``, over all tuples that a function returns.

    An expression that is no name counts as one that nobody knows. Empty where there is no source.
    """
    found: dict[int, set[str]] = {}
    for value in returned_values(call):
        for place, part in enumerate(value.elts if isinstance(value, ast.Tuple) else ()):
            if not (isinstance(part, ast.Constant) and part.value is None):
                found.setdefault(place, set()).add(part.id if isinstance(part, ast.Name) else "")
    return {place: frozenset(names) for place, names in found.items()}
