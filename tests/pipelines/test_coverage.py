"""Every parameter of every pipeline of the installed diffusers is on the list; what is bound to it is seen or named."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from guardrail.media import Limits
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.inputs import CallInputs
from guardrail.pipelines.parameters import GIVES_PARTS, GUARDED_AS, OUT_OF_SCOPE, Holds, held_by, names_of
from tests.pipelines.survey import survey

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 255, (16, 16, 3), dtype=np.uint8)
SENTINELS: Mapping[str, Any] = {
    "text": "a sentence, as a sentinel",
    "list of texts": ["a sentence, as a sentinel"],
    "picture": Image.fromarray(PIXELS),
    "array": PIXELS,
    "tensor": torch.from_numpy(PIXELS).permute(2, 0, 1)[None].float() / 255,
    "video": torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)),
    "embedding": torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(0)),
    "latent": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)),
    "bytes": b"what is in here",
    "iterator": iter(()),
    "object": object(),
}


def stand_in(names: Sequence[str]) -> Any:
    """A call with these parameters."""

    def call(*args: Any, **kwargs: Any) -> None: ...

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [inspect.Parameter(n, keyword, default=None) for n in names if not n.startswith("*")]
    if any(n.startswith("*") for n in names):
        parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def read(pipeline: str, call: Any, **values: Any) -> CallInputs:
    return CallInputs.of(Arguments(call, object(), (), values), pipeline, Limits())


def seen(inputs: CallInputs) -> set[str]:
    """Arguments that a check looks at, that are named, or that are refused."""
    looked = {t.leaf.argument for t in inputs.texts} | {p.leaf.argument for p in inputs.pictures}
    told = [u.argument for u in inputs.unverified] + [str(error).split()[0] for _, error in inputs.faults]
    return looked | {name.split("[")[0].split(".")[0] for name in told}


def unseen(pipeline: str, call: Any, names: Sequence[str], sentinel: Any) -> set[str]:
    given = [n for n in names if not n.startswith("*")]
    # A name that nobody has: what a class with **kwargs would swallow.
    given += ["a_name_of_tomorrow"] if len(given) < len(names) else []
    return set(given) - seen(read(pipeline, call, **dict.fromkeys(given, sentinel)))


def test_every_name_of_the_installed_diffusers_is_on_the_list() -> None:
    found = survey()
    assert len(found.pipelines) >= 304
    assert len(found.modular) >= 20
    missing = sorted(name for name in found.names() if held_by(name) is None)
    assert missing == [], f"diffusers {found.version} has parameters that nobody has read: put them on the list"


def test_the_list_has_every_name_once_and_no_name_that_is_gone() -> None:
    listed = [name for holds in Holds for name in names_of(holds)]
    assert len(listed) == len(set(listed))
    assert set(listed) - survey().names() == set()
    assert set(GUARDED_AS) == set(Holds)


def test_a_name_that_is_not_on_the_list_would_be_found() -> None:
    assert held_by("a_name_of_tomorrow") is None
    assert "prompt" in survey().pipelines["StableDiffusionPipeline"]
    assert "**kwargs" in survey().pipelines["StableDiffusionPipeline"]


def test_classes_out_of_scope_exist_and_are_named_once() -> None:
    listed = [name for names in (*OUT_OF_SCOPE.values(), GIVES_PARTS) for name in names.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(survey().pipelines)


@pytest.mark.parametrize("kind", SENTINELS)
def test_what_is_bound_to_any_parameter_of_any_class_is_seen_or_named(kind: str) -> None:
    # Classes with the same names of parameters, and modular families, are one case.
    cases = {names: name for name, names in survey().pipelines.items()}
    if kind not in ("text", "embedding"):
        # What the value decides needs each name once.
        cases = {tuple(sorted(survey().names())): "every name"}
    lost = {
        (name, argument)
        for names, name in cases.items()
        for argument in unseen(name, stand_in(names), names, SENTINELS[kind])
    }
    assert lost == set()


def test_the_same_for_the_blocks_of_modular_pipelines() -> None:
    for family, names in survey().modular.items():
        for kind in ("text", "picture", "embedding"):
            assert unseen(family, stand_in(names), names, SENTINELS[kind]) == set(), (family, kind)


@pytest.mark.nightly  # imports every pipeline: 7 s of a processor, half a gigabyte
def test_the_survey_reads_what_the_classes_have() -> None:
    import diffusers

    compared = 0
    for name, names in survey().pipelines.items():
        kind = getattr(diffusers, name, None)
        # Some need packages that are not here: in their place stands an object that says which.
        if kind is None or not hasattr(kind, "__mro__") or type(kind).__name__ == "DummyObject":
            continue
        parameters = list(inspect.signature(kind.__call__).parameters.values())[1:]
        assert tuple(("**" if p.kind is p.VAR_KEYWORD else "") + p.name for p in parameters) == names, name
        for sentinel in SENTINELS.values():
            assert unseen(name, kind.__call__, names, sentinel) == set(), name
        compared += 1
    assert compared >= 290


@pytest.mark.nightly
def test_the_inputs_of_every_modular_block_set_are_on_the_list() -> None:
    import diffusers

    sets = [n for n in dir(diffusers) if n.endswith("Blocks") and n not in ("ModularPipelineBlocks",)]
    assert len(sets) >= 40
    for name in sets:
        blocks = getattr(diffusers, name)()
        missing = [p.name for p in blocks.inputs if p.name and held_by(p.name) is None]
        assert missing == [], name
