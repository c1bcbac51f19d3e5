"""The state that a modular call came to, opened as the result of a classic one, and what of it leaves.

What was made stands in several places of a state: as pictures, and as the latents that they were decoded from. A
picture that is refused or changed is taken out of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrail.decision import Decisions
from guardrail.media.arrays import is_array, is_pil, is_tensor
from guardrail.pipelines.kinds import Kind, classify
from guardrail.pipelines.outputs import MEDIA_FIELDS
from guardrail.pipelines.parameters import Holds, held_by

__all__ = ["Made", "latents_in", "made_names", "pictures_beside", "withhold"]

# What an input of the call looks like after a block prepared it: judged as it came in.
_PREPARED = frozenset({Holds.IMAGE, Holds.CONTROL, Holds.CONTROL_VIDEO, Holds.MASK, Holds.VIDEO})
_SHOWS = frozenset({Kind.IMAGE, Kind.LATENT, Kind.CONDITION_LATENT, Kind.UNKNOWN, Kind.NESTED, Kind.STREAM, Kind.AUDIO})


class Made:
    """A state with one of its values as the pictures of the call.

    `guardrail.pipelines.outputs.Result` opens it: it has the keys of the state, and only the pictures under one of the
    names that a classic output has.

    Args:
        state: a PipelineState of diffusers; never changed, replaced values go into a copy.
        outputs: names that the blocks say they give out.
        given: what the call was given, by name.
        asked: names that the caller asked for, first of all to be looked at.
    """

    guardrail: Decisions

    def __init__(self, state: Any, outputs: Sequence[str], given: Mapping[str, Any], asked: Sequence[str] = ()) -> None:
        self.state = state
        self.outputs = tuple(outputs)
        self.given = dict(given)
        self.name = _media_name(state.values, self.outputs, self.given, asked)
        self.as_latents = self.name != "" and not _is_pictures(self.name, state.values[self.name])

    def asked_for(self, asked: Sequence[str]) -> Made:
        """The same, with the pictures that the caller asked for."""
        return Made(self.state, self.outputs, self.given, asked)

    def keys(self) -> Sequence[str]:
        return [*self.state.values]

    def __getattr__(self, name: str) -> Any:
        if name in MEDIA_FIELDS:
            return self.state.values[self.name] if self.name and name == self._field else None
        raise AttributeError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.state.values[self.name if name == self._field else name] = value

    @property
    def _field(self) -> str:
        return self.name if self.name in MEDIA_FIELDS else MEDIA_FIELDS[0]

    def __copy__(self) -> Made:
        return Made(copied(self.state), self.outputs, self.given, (self.name,) if self.name else ())


def copied(state: Any) -> Any:
    """A state of the same values, whose names can be given others."""
    mapping = {k: list(v) for k, v in state.kwargs_mapping.items()}
    return type(state)(values=dict(state.values), kwargs_mapping=mapping)


def _media_name(
    values: Mapping[str, Any], outputs: Sequence[str], given: Mapping[str, Any], asked: Sequence[str]
) -> str:
    """Where the pictures are: where the caller asked for them, else under a known name, else anywhere, else latents."""
    shown = [n for n in made_names(values, given) if _is_pictures(n, values[n])]
    for name in (*asked, *MEDIA_FIELDS, *outputs):
        if name in shown and (name in outputs or name in asked):
            return name
    latents = [n for n in (*asked, *outputs, "latents") if n in latents_in(values, given)]
    media = [n for n in MEDIA_FIELDS if n in outputs and is_tensor(values.get(n))]
    return next(iter((*media, *latents)), "")


def made_names(values: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Names of what the call made: not the objects that it was given."""
    return (n for n, v in values.items() if v is not None and v is not given.get(n))


def latents_in(values: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Names of latents that the call made."""
    return [n for n in made_names(values, given) if is_tensor(values[n]) and held_by(n) is Holds.LATENT]


def _is_pictures(name: str, value: Any) -> bool:
    """Whether it is a batch of pictures or videos, in any form but latents."""
    if isinstance(value, list | tuple) and value:
        if isinstance(value[0], list | tuple):
            return all(_is_pictures(name, v) for v in value)
        return is_pil(value[0]) or (is_array(value[0]) and value[0].ndim >= 3 and _is_picture(name, value[0]))
    return is_array(value) and value.ndim >= 4 and _is_picture(name, value)


def _is_picture(name: str, value: Any) -> bool:
    # By name as well: an embedding of one row looks like a picture of one channel.
    return classify(name, value) is Kind.IMAGE


def pictures_beside(made: Made, *, pictures_given: bool) -> list[str]:
    """Pictures under other names, which nobody looked at: they do not leave.

    What has the name of an input picture is taken for one that a block prepared, where pictures were given.
    """
    values = made.state.values
    return [
        name
        for name in made_names(values, made.given)
        if name != made.name
        and _holds_pictures(name, values[name])
        and not (pictures_given and held_by(name) in _PREPARED and name not in made.outputs)
    ]


def _holds_pictures(name: str, value: Any) -> bool:
    if is_pil(value):
        return True
    if isinstance(value, list | tuple):
        return any(_holds_pictures(name, v) for v in value)
    return is_array(value) and value.ndim >= 3 and _is_picture(name, value)


def withhold(made: Made, rows: Sequence[int], outputs: int) -> None:
    """Empty what the outputs `rows` were made from or could be seen in, besides the pictures themselves.

    A tensor with one row an output keeps its form; anything else that could show them is taken away.
    """
    for name in list(made_names(made.state.values, made.given)):
        value = made.state.values[name]
        if name == made.name or classify(name, value) not in _SHOWS:
            continue
        if is_tensor(value) and value.ndim >= 2 and len(value) == outputs:
            emptied = value.clone()
            emptied[list(rows)] = 0
            made.state.values[name] = emptied
        else:
            made.state.values[name] = None
