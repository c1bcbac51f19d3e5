"""Whatever breaks while a pipeline runs, nothing unguarded leaves it, and the next call is as if nothing had happened.

Each case is one call with one to three faults on its way, from a seeded generator. After each, a call without faults
must give the pixels of the unguarded pipeline. 10,000 calls that met a fault at night (`make nightly`; 48 ms of one
core each, with the call after it), 40 otherwise.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import guardrail
from guardrail.pipelines.outputs import Result
from guardrail.pipelines.placeholders import GREY
from guardrail.pipelines.running import is_running
from guardrail.pipelines.steps import tap
from tests.budget import NIGHTLY
from tests.pipelines import faults
from tests.pipelines.faults import SECRET, Interrupted, Place, World, arguments, condition, digits
from tests.pipelines.test_transparent import media
from tests.pipelines.tiny import BUILDERS, MODULAR, STEPS

SHARDS, CASES = (20, 500) if NIGHTLY else (2, 20)
# How often each one runs: the slow ones least.
FAMILIES = {"text2img": 4, "pixart": 4}
FAMILIES |= {"modular_flux": 3, "flux": 2, "img2img": 1, "ddim": 1} if NIGHTLY else {}
PROBE_STEPS = 1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with faults.a_world(tmp_path_factory.mktemp("faults"), list(FAMILIES)) as world:
        for place in world.places:
            probe(world, place)
            place.state = condition(place.pipe)
        yield world


@functools.cache
def bare(family: str) -> Any:
    return (BUILDERS | MODULAR)[family]()


@functools.cache
def expected(family: str, count: int, form: str, steps: int) -> list[str]:
    """Hashes of what the unguarded pipeline makes."""
    given = arguments(family, count, output_type=form) | {"num_inference_steps": steps}
    made = Result.open(bare(family)(**given), latent=False)
    return [made.sha256(i) for i in range(count)]


def probe(world: World, place: Place) -> None:
    """A call without faults is allowed, and gives what it always gave."""
    world.begin()
    place.guarded(**arguments(place.family, 1, output_type="np") | {"num_inference_steps": PROBE_STEPS})
    decision = guardrail.last_decisions()[0]  # type: ignore[index]
    assert decision.action == "allow", decision.reasons
    assert [decision.pixels_sha256] == expected(place.family, 1, "np", PROBE_STEPS)


def random_states() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), keys.tobytes(), rest, random.getstate()


def pixels(one: Any) -> np.ndarray:
    """One output as (H, W, 3) uint8."""
    frame = np.asarray(one.permute(1, 2, 0) if torch.is_tensor(one) else one)
    return frame if frame.dtype == np.uint8 else np.rint(frame * 255).astype(np.uint8)


def one_case(world: World, rng: random.Random) -> tuple[bool, list[str]]:
    """Returns whether a fault struck, and the decisions that outputs were released with."""
    place = rng.choices(world.places, [FAMILIES[p.family] for p in world.places])[0]
    count, form = rng.choice((1, 1, 2, 3)), rng.choice(("pil", "np", "pt"))
    drawn = [faults.draw(rng, place, count) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    rows = [i for i in range(count) if "prompt" in place.spots and rng.random() < 0.1]
    world.begin(count, drawn, frozenset(rows), frozenset(i for i in range(count) if rng.random() < 0.1))
    given = arguments(place.family, count, world.refused, output_type=form)
    if place.callback:
        given[place.callback] = lambda *_: world.strike("callback") or {}
    before, states = guardrail.last_decisions(), random_states()
    outcome: Any = None
    try:
        with world.interrupted():
            outcome = place.guarded(**given)
    except BaseException as error:  # noqa: BLE001 - which one it may be is asserted below
        outcome = error
    story = (place.family, place.on_block, count, form, world.refused, world.bad, world.lost, drawn, world.where)
    struck, decisions = world.struck, guardrail.last_decisions()
    try:
        if isinstance(outcome, BaseException):
            right_error(world, place, outcome)
            released: list[str] = []
        else:
            assert decisions is not before
            released = right_outputs(world, place, outcome, decisions, form)
        assert random_states() == states
        assert not is_running(place.pipe)
        assert not tap._users
        assert not tap._looking.get()
        assert condition(place.pipe) == place.state
        probe(world, place)
    except BaseException as error:
        raise AssertionError(f"{story} → {type(outcome).__name__}") from error
    return struck > 0, released


def right_error(world: World, place: Place, error: BaseException) -> None:
    """An error that reaches the caller is the one that struck, or says that something was blocked."""
    if isinstance(error, guardrail.Blocked):
        assert place.on_block == "raise"
        assert world.due or world.unsure
        assert all(SECRET not in str(d.to_json()) for d in error.decisions)
    elif not any(error is e for e in (*world.must, *world.may)):
        # An exception into a thread is made there.
        assert type(error) is Interrupted
        assert any(f.how == "stopped" for f in world.armed)


def right_outputs(world: World, place: Place, value: Any, decisions: Any, form: str) -> list[str]:
    """Every output is a placeholder, or one that was allowed, marked, and made as without a guard."""
    assert not world.must
    outputs = value if isinstance(value, list | np.ndarray | torch.Tensor) else media(value)
    assert len(outputs) == len(decisions) == world.count
    blocked = {i for i, d in enumerate(decisions) if d.blocked}
    assert blocked >= world.due if world.unsure else blocked == world.due
    assert not blocked or place.on_block != "raise"
    unmarked = expected(place.family, world.count, form, STEPS)
    for index, (one, decision) in enumerate(zip(outputs, decisions, strict=True)):
        assert SECRET not in str(decision.to_json())
        assert "prompt.minor" not in decision.signals
        if decision.blocked:
            assert one is None or (pixels(one) == np.full((64, 64, 3), GREY)).all()
            continue
        assert decision.action == "allow"
        assert decision.pixels_sha256 == unmarked[index]
        assert pixels(one)[0, :10, 0].tolist() == digits(decision.mark_id)
    return [d.id for d in decisions if not d.blocked]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_unguarded_and_nothing_broken(shard: int, world: World) -> None:
    rng = random.Random(f"faults {shard}")
    released: list[str] = []
    calls = 0
    while calls < CASES:
        struck, more = one_case(world, rng)
        calls += struck
        released += more
    assert released
    recorded = b"".join(body for (body,) in world.guard.audit.store.rows("SELECT body FROM events"))
    assert all(i.encode() in recorded for i in released)
