"""What the sessions of a guard share, made of a policy in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from guardrail.actions import PlannedAction, actions, validate
from guardrail.actions.rewrite import Rewrite
from guardrail.actions.wording import Writer
from guardrail.checks.base import CheckSettings
from guardrail.checks.registry import declared_checks
from guardrail.errors import ConfigurationError, MarkError
from guardrail.guard import build
from guardrail.guard.judge import Judge
from guardrail.guard.records import Recorder
from guardrail.guard.runner import Runner
from guardrail.guard.session import Parts
from guardrail.keys import Keyring
from guardrail.marks.marker import SIGNER, Marker
from guardrail.marks.stack import MarkStack
from guardrail.media import Limits
from guardrail.policy import Policy, PolicyEngine
from guardrail.policy.model import Terms

__all__ = ["Assembly", "load", "warm"]


@dataclass(frozen=True, slots=True)
class Assembly:
    """Makes parts: what does not depend on the policy stays the same, everything else is made anew.

    Checks are not carried over from one policy to the next: a policy has a say in how they are set up, and a model file
    that is no longer what it was must be refused.
    """

    settings: CheckSettings
    recorder: Recorder
    keyring: Keyring
    marks: MarkStack
    limits: Limits
    writer: Writer | None = None
    marker: Marker | None = None
    releases: bool = True

    def parts(self, engine: PolicyEngine) -> Parts:
        """Everything that a session works with, under this engine.

        Raises:
            SignalUnavailable: a signal that no installed check gives.
            ConfigurationError: a pack, which is no policy of its own; parameters that an action refuses.
        """
        known: Mapping[str, PlannedAction] = actions()
        if self.writer is not None:
            known = {**known, "rewrite": Rewrite(self.writer)}
        settings = self.settings
        policy = getattr(engine, "policy", None)
        if isinstance(policy, Policy):
            if policy.kind == "pack":
                raise ConfigurationError(
                    f"{policy.path} is a pack: name it under `packs` of a policy, and use that one"
                )
            validate((spec for rule in policy.rules for spec in rule.then), known)
            self._require_drawable(policy)
            self._require_signer(policy)
            settings = _with_terms(settings, policy.terms)
        smoothing = policy.video.over or 0 if isinstance(policy, Policy) else 0
        runner = Runner(build.build_checks(engine, settings, declared_checks()), smoothing=smoothing)
        return Parts(engine, Judge(engine, runner, known), self.recorder, self.keyring, self.marks, self.limits)

    def _require_drawable(self, policy: Policy) -> None:
        """Raises ConfigurationError where a visible label that a rule asks for cannot be drawn here."""
        texts = {
            str(spec.params["visible"]) for rule in policy.rules for spec in rule.then if spec.params.get("visible")
        }
        if texts and self.marker is not None:
            try:
                self.marker.require_drawable(sorted(texts))
            except MarkError as error:
                raise ConfigurationError(f"a visible label of {policy.path} cannot be drawn: {error}") from None

    def _require_signer(self, policy: Policy) -> None:
        """Raises ConfigurationError where a rule asks for signed files that this guard would release unsigned."""
        rules = policy.signing_rules
        if rules and self.releases and (self.marker is None or self.marker.marking.signer is None):
            raise ConfigurationError(
                f"{policy.path} asks for signed files ({'rule' if len(rules) == 1 else 'rules'} {', '.join(rules)}), "
                f"and nobody signs: {SIGNER}. A guard that only judges needs none: Guard(..., releases=False)"
            )


def _with_terms(settings: CheckSettings, terms: Terms) -> CheckSettings:
    """The settings with what a deployment file adds to the word lists."""
    return replace(settings, names=(*settings.names, *terms.names), words=terms.words, exempt=terms.exempt)


def load(policy: str | Path | Policy | PolicyEngine) -> PolicyEngine:
    """The engine for whatever a policy may be given as."""
    return build.load_engine(policy, declared_checks())


def warm(parts: Parts) -> None:
    """Load what loads late: requests must not wait for a reload, nor find out that a model does not run."""
    parts.judge.runner.warmup()
