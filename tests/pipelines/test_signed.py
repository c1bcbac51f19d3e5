"""A policy that asks for signed files: known before anything is generated, or else nothing leaves unsigned."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import guardrail
from guardrail.decision import Action
from guardrail.errors import ConfigurationError, MarkError
from guardrail.marks.settings import Marking
from guardrail.media import Context, ImageInput, Request, TextInput
from guardrail.pipelines.outputs import Result
from guardrail.pipelines.release import Release
from guardrail.policy import BuiltinEngine, load_policy
from tests.pipelines.test_release_marks import picture, released

SIGNED = "rules: [{id: sign-it, at: output, when: always, then: {label: {signed: true}}}]"
MENDS = r"asks for signed files.*nobody signs: give the guard marking=Marking\(signer=.*guardrail keys new"


class Opaque:
    """An engine of somebody else's: what it will ask for is not known beforehand."""

    def __init__(self, path: Path) -> None:
        engine = BuiltinEngine(load_policy(path))
        self.ref, self.needs = engine.ref, engine.needs
        self.evaluate, self.messages = engine.evaluate, engine.messages


class Pipe(diffusers.DiffusionPipeline):  # type: ignore[misc]
    def __call__(self) -> Any:
        pytest.fail("it must not come to that")


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Marking:
    pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
    from guardrail.marks.credentials import Signer, new_chain

    chain = new_chain(tmp_path_factory.mktemp("chain"))
    return Marking(signer=Signer.from_files(chain.chain, chain.key))


def test_without_a_signer_no_guard_starts_and_no_pipeline_is_wrapped(make_guard: Any, policy_file: Any) -> None:
    path = policy_file(SIGNED)
    for start in (lambda: make_guard(SIGNED), lambda: guardrail.wrap(Pipe(), path, audit=None, gallery=None)):
        with pytest.raises(ConfigurationError, match=MENDS) as caught:
            start()
        assert f"{path} asks for signed files (rule sign-it)" in str(caught.value)


def test_a_reload_to_such_a_policy_is_refused(make_guard: Any, policy_file: Any) -> None:
    guard = make_guard("rules: [{id: r, at: output, when: always, then: {label: {likeness: true}}}]")
    before = guard.policy
    with pytest.raises(ConfigurationError, match=MENDS):
        guard.reload(policy_file(SIGNED, "signed"))
    assert guard.policy == before


def test_a_rule_that_only_watches_asks_for_nothing(make_guard: Any) -> None:
    make_guard(f"mode: shadow\n{SIGNED}")
    with pytest.raises(ConfigurationError, match=MENDS):
        make_guard(f"mode: shadow\n{SIGNED.replace('at: output', 'locked: true, at: output')}")


def test_a_guard_that_only_judges_needs_no_signer_and_releases_nothing(make_guard: Any, tmp_path: Path) -> None:
    guard = make_guard(SIGNED, releases=False)
    decision = guard.check_output(picture())
    assert (decision.action, decision.labels) == (Action.ALLOW, {"signed": True})
    with pytest.raises(MarkError, match="only judges"):
        guard.mark(picture(), after=decision)
    for options in ({"guard": guard}, {"releases": False}):
        with pytest.raises(ConfigurationError, match="only judges"):
            guardrail.wrap(Pipe(), **options)
    # What is saved after its decision all the same is not saved unsigned.
    with pytest.raises(MarkError, match="to be signed"):
        guardrail.save(np.asarray(picture()), tmp_path / "a.png", decision=decision)
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.parametrize("form", ["pil", "array", "latent"])
def test_what_was_not_known_beforehand_is_blocked_at_release(policy_file: Any, form: str) -> None:
    with guardrail.Guard(Opaque(policy_file(SIGNED)), audit=None, gallery=None) as guard:
        given: Any = {"pil": [picture()], "array": np.asarray(picture())[None] / 255}.get(form, torch.zeros(1, 4, 8, 8))
        session = guard.session()
        session.open([Request((TextInput("a stone bridge"),), context=Context())])
        session.judge_inputs()
        result = Result.open(given, latent=form == "latent")
        look = ImageInput((np.asarray(picture()),))
        again: Any = pytest.fail
        (decision,) = Release(guard, session, result, "Stand-in", lambda r, i: look, again).all([0])
        assert decision.action is Action.BLOCK
        (reason,) = (r for r in decision.reasons if r.kind == "mark")
        assert "nobody signs: give the guard marking=" in reason.cause
        allowed = guard.check_output(picture())
        with pytest.raises(MarkError, match="nobody signs"):
            guard.mark(picture(), after=allowed)


def test_with_a_signer_every_file_is_signed_or_not_written(make_guard: Any, marking: Marking, tmp_path: Path) -> None:
    from guardrail.marks.credentials import read_credentials

    guard = make_guard(SIGNED, marking=marking)
    (decision,), (image,) = released(guard, [picture()])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    for content in (buffer.getvalue(), guardrail.encode(np.asarray(image), "webp", decision=decision, marking=marking)):
        read = read_credentials(content)
        assert read is not None
        assert read.state == "Valid"
    with pytest.raises(MarkError, match="signer"):
        pickle.loads(pickle.dumps(image)).save(tmp_path / "a.png")
    with pytest.raises(MarkError, match="signer"):
        guardrail.save(np.asarray(image), tmp_path / "a.png", decision=pickle.loads(pickle.dumps(decision)))
    assert not (tmp_path / "a.png").exists()
