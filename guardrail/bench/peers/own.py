"""guardrail itself, asked like any other peer: the others are compared with it."""

from __future__ import annotations

from functools import partial

from guardrail.bench.judging import judged
from guardrail.bench.peers.base import ACTIONS, FAILED, Answer, Opened, Peer
from guardrail.bench.run.fingerprint import list_facts, policy_facts
from guardrail.bench.subject import moved
from guardrail.decision import EffectiveCheck
from guardrail.version import __version__

__all__ = ["GUARDRAIL", "pictures", "prompts"]

GUARDRAIL = "guardrail"
EXPLICIT = 0.65
"""Where the shipped policies block on the nudity of a picture."""


def prompts(policy: str) -> Peer:
    """The whole decision of a policy on a prompt: word lists, classifier, persons, minors, rules."""
    return Peer(
        GUARDRAIL,
        "text",
        partial(_prompts, policy),
        __version__,
        "Apache-2.0",
        f"the policy {policy}; the score is prompt.sexual",
        "word lists and templates of its own, and public sets that docs/prompt-classifier.md names",
    )


def _prompts(policy: str) -> Opened:
    from guardrail.guard import Guard
    from guardrail.guard.parts import load

    engine = load(policy)
    guard = Guard(engine, audit=None, gallery=None, releases=False)
    guard.warmup()

    def judge(text: str) -> Answer:
        said = judged(guard, text)
        # Blocked for want of an answer is blocked, as it is in use; the cause tells it apart.
        return Answer(ACTIONS[said.action], said.score, said.cause, said.ms, said.cpu_ms)

    ref, checks = guard.policy, guard.effective()
    told = {"policy": f"{ref.id} {ref.version}{moved(policy, ref)}, sha256 {ref.sha256}"}
    facts = {"policy": policy_facts(engine), "checks": [one.to_json() for one in checks], "lists": list_facts()}
    return Opened(judge, told | _effective(checks), guard.close, facts)


def pictures() -> Peer:
    """The nudity check alone, without faces and rules: what the other detectors of pictures do as well."""
    return Peer(
        GUARDRAIL,
        "image",
        _pictures,
        __version__,
        "Apache-2.0; the model of its default detector AGPL-3.0",
        f"nudity ≥ {EXPLICIT:g}, where the shipped policies block",
        "nothing: the model of its detector is NudeNet's",
    )


def _pictures() -> Opened:
    from guardrail.checks.image.nudity import NudityCheck
    from guardrail.errors import CheckError
    from guardrail.media.types import Frame

    check = NudityCheck()
    check.warmup()

    def judge(pixels: Frame) -> Answer:
        try:
            _, score = check.judge(pixels)
        except CheckError as error:
            return Answer(FAILED, None, str(error))
        return Answer("block" if score >= EXPLICIT else "allow", score)

    effective = check.effective()
    return Opened(judge, _effective([effective]), facts={"checks": [effective.to_json()]})


def _effective(checks: list[EffectiveCheck] | tuple[EffectiveCheck, ...]) -> dict[str, str]:
    return {
        f"check {one.name}": f"{one.version} {', '.join(f'{n} {sha[:16]}' for n, sha in one.weights.items())}".strip()
        for one in checks
    }
