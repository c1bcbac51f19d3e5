"""Putting a guard together. What can be known now is refused now, with the mends."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardrail.actions import action_kinds
from guardrail.audit import AuditLog
from guardrail.audit.keyed import key_id_of
from guardrail.checks.base import Check, CheckSettings, NudityModel, PromptModel, RealnessModel
from guardrail.checks.registry import Declared, Unavailable, construct, vocabulary
from guardrail.errors import ConfigurationError, SignalUnavailable
from guardrail.gallery import Gallery
from guardrail.keys import Keyring
from guardrail.known import HashLists
from guardrail.paths import home, shipped_policies
from guardrail.policy import BuiltinEngine, Policy, PolicyEngine
from guardrail.policy.engines import engine_for
from guardrail.signals import CORE

__all__ = [
    "build_checks",
    "load_engine",
    "load_names",
    "name_files",
    "nudity_models",
    "open_audit",
    "open_gallery",
    "open_known",
    "prompt_models",
    "realness_model",
]

# Signals that the guard itself knows; no check is asked for them.
OWN_SIGNALS = frozenset({s.name for s in CORE.at(None)} | {"output.markable"})


def load_engine(policy: str | Path | Policy | PolicyEngine, declared: Sequence[Declared]) -> PolicyEngine:
    """An engine for a shipped policy's name, a file, an address, a loaded policy, or an engine as it is.

    The end of a file's name says which engine reads it: ``.cel.yaml`` (CEL), ``.rego`` (Rego, in process), a plugin's
    own; all others are rule files of the built-in engine. An engine is asked for by name before a colon:
    ``"cel:mine.yaml"``, ``"rego:default"``, ``"opa:http://127.0.0.1:8181/v1/data/guardrail/mine"``, ``"plugin:…"``. A
    `Path` is always a path.

    Raises:
        PolicyError: the file does not load; every finding with file:line:col.
        MissingExtra: the engine's package is not installed.
        PluginError: a plugin's engine is broken.
        ConfigurationError: no engine has the name.
    """
    if isinstance(policy, str | Path):
        words = vocabulary(declared)
        return engine_for(policy, vocabulary=words, actions=action_kinds(), shipped=shipped_policies())
    if isinstance(policy, Policy):
        return BuiltinEngine(policy)
    if not callable(getattr(policy, "evaluate", None)):
        raise ConfigurationError(f"a policy is a name, a file, a Policy or an engine, not {type(policy).__name__}")
    return policy


def build_checks(engine: PolicyEngine, settings: CheckSettings, declared: Sequence[Declared]) -> list[Check]:
    """The checks that give what the policy reads.

    Raises:
        SignalUnavailable: a signal that no installed check gives, with the rules that read it and the ways out.
    """
    needs = {name: rules for name, rules in engine.needs().items() if name not in OWN_SIGNALS}
    checks, unavailable = construct(needs, settings, declared)
    given = {s.name for c in checks for s in c.gives}
    missing = {name: rules for name, rules in needs.items() if name not in given}
    for check in checks:
        # What a check cannot do without is read by the rules that read what it gives.
        readers = tuple(dict.fromkeys(rule for s in check.gives for rule in needs.get(s.name, ())))
        missing |= {name: readers for name in check.needs if name not in given and name not in missing}
    if missing:
        raise SignalUnavailable(_explain(engine.ref.id, missing, unavailable, declared))
    return checks


def _explain(
    policy: str, missing: Mapping[str, Sequence[str]], unavailable: Sequence[Unavailable], declared: Sequence[Declared]
) -> str:
    lines = [f"the policy {policy} needs signals that nothing installed here gives:"]
    causes: dict[str, None] = {}
    for name, rules in missing.items():
        lines.append(f"  {name}, read by the {'rule' if len(rules) == 1 else 'rules'} {', '.join(rules)}")
        cause = next((u for u in unavailable if name in u.signals), None)
        if cause is not None:
            causes[f"the check {cause.name} gives {', '.join(cause.signals)} but cannot start: {cause.error}"] = None
        elif not any(s.name == name for d in declared for s in d.gives):
            causes[f"no check gives {name}: install a plugin that does, or take it out of the policy"] = None
    lines += causes
    lines.append("or use a policy that does without these signals; see: guardrail doctor")
    return "\n".join(lines)


def name_files(names: Sequence[str] | str | Path) -> tuple[str, ...]:
    """The path where `names` is a file made by `guardrail names build`."""
    return (str(names),) if isinstance(names, str | Path) and Path(names).suffix == ".names" else ()


def load_names(names: Sequence[str] | str | Path) -> tuple[str, ...]:
    """Names to protect: a list, or a text file with one name a line (``#`` begins a comment).

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if name_files(names):
        return ()
    if isinstance(names, str | Path):
        try:
            lines = Path(names).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the list of names {names} cannot be read: {type(error).__name__}") from None
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    return tuple(names)


def prompt_models(models: Sequence[PromptModel] | str | Path | None) -> tuple[PromptModel, ...]:
    """Heavier checks: as given, from a file that lists them, or (``None``) from the one in ``GUARDRAIL_PROMPT_MODELS``.

    Raises:
        ConfigurationError: the file cannot be read, or something given is no prompt model.
    """
    if models is None:
        models = os.environ.get("GUARDRAIL_PROMPT_MODELS") or ()
    if isinstance(models, str | Path):
        from guardrail.checks.text.heavy.settings import read_settings

        return read_settings(models)
    for model in models:
        if not callable(getattr(model, "open", None)) or not hasattr(model, "gives"):
            raise ConfigurationError(
                "prompt_models are a Classifier, GenerativeGuard or EncoderHead of guardrail.checks.text.heavy, or a "
                f"file that lists them, not {type(model).__name__}"
            )
    return tuple(models)


def nudity_models(models: Sequence[NudityModel] | str | Path | None) -> tuple[NudityModel, ...]:
    """Second opinions on nudity: as given, from a file that lists them, or (``None``) from the one in
    ``GUARDRAIL_NUDITY_MODELS``.

    Raises:
        ConfigurationError: the file cannot be read, or something given is no nudity model.
    """
    if models is None:
        models = os.environ.get("GUARDRAIL_NUDITY_MODELS") or ()
    if isinstance(models, str | Path):
        from guardrail.checks.image.nudity.hub import read_settings

        return read_settings(models)
    for model in models:
        if not callable(getattr(model, "open", None)) or not hasattr(model, "combination"):
            raise ConfigurationError(
                "nudity_models are a HubClassifier or SafetyChecker of guardrail.checks.image.nudity.hub, or a file "
                f"that lists them, not {type(model).__name__}"
            )
    return tuple(models)


def realness_model(model: RealnessModel | None) -> RealnessModel | None:
    """As given. Raises ConfigurationError for what is no realness model, such as a folder without a threshold."""
    # A path can be opened as well, but says no threshold.
    if isinstance(model, str | Path) or (model is not None and not callable(getattr(model, "open", None))):
        raise ConfigurationError(
            "realness_model is a ClipZeroShot of guardrail.checks.image.realness_clip, with a threshold that you "
            f"measured, not {type(model).__name__}"
        )
    return model


def open_gallery(gallery: Any, keyring: Keyring) -> Any:
    """``"auto"``: the gallery in the data folder; a path: that file; ``None``: none; anything else as it is."""
    if gallery == "auto":
        gallery = home() / "gallery.sqlite"
    if isinstance(gallery, str | Path):
        older = {name: keyring.derive("gallery", key=name) for name in keyring.ids[1:]}
        return Gallery(Path(gallery), key=keyring.derive("gallery"), key_id=keyring.active, older=older)
    if gallery is not None and not callable(getattr(gallery, "index", None)):
        raise ConfigurationError(f'a gallery is "auto", a path, a GalleryStore or None, not {type(gallery).__name__}')
    return gallery


def open_known(known: Any, keyring: Keyring) -> Any:
    """``"auto"``: the lists in the data folder, if any; a path: another folder; ``None``: none; anything else as it is.

    Raises:
        KnownImagesError: a list was changed, cut off, or cannot be read.
    """
    if known == "auto":
        known = home() / "known"
    if isinstance(known, str | Path):
        return HashLists(Path(known), keyring)
    if known is not None and not all(callable(getattr(known, name, None)) for name in ("asked", "search")):
        raise ConfigurationError(f'known is "auto", a folder, a KnownImages or None, not {type(known).__name__}')
    return known


def open_audit(audit: Any, keyring: Keyring) -> AuditLog | None:
    """``"auto"``: the log in the data folder; a path: that file; ``None``: no record, by explicit choice.

    A log that cannot be opened or written is not refused here: requests are blocked until it can be.

    Raises:
        ConfigurationError: its folder cannot be made.
    """
    if audit == "auto":
        audit = home() / "audit.sqlite"
    if isinstance(audit, str | Path):
        path = Path(audit)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"no folder for the record {path} can be made: {error.strerror}") from None
        # A log has one key for life: after a rotation it goes on under that, as long as it is on the ring.
        own = key_id_of(path)
        name = own if own in keyring.ids else keyring.active
        return AuditLog(path, key=keyring.derive("audit", key=name), key_id=name)
    if audit is None or isinstance(audit, AuditLog):
        return audit
    raise ConfigurationError(f'audit is "auto", a path, an AuditLog or None, not {type(audit).__name__}')
