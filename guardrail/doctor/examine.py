"""Examining an installation without changing it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Any

from guardrail.actions import action_kinds
from guardrail.checks.base import Check, CheckSettings
from guardrail.checks.registry import Declared, construct, declared_checks, vocabulary
from guardrail.doctor.faces import gpu_remarks, opencv_remarks
from guardrail.doctor.gallery import gallery_remarks, look_at_gallery, uncovered_fault
from guardrail.doctor.known import look_at_known, opened_lists
from guardrail.doctor.measure import measured
from guardrail.errors import ConfigurationError, GalleryError, KeyringError, PluginError
from guardrail.guard import build
from guardrail.keys import Keyring, find_keyring
from guardrail.paths import home, shipped_policies
from guardrail.policy import BuiltinEngine, load_policy
from guardrail.signals import Vocabulary
from guardrail.weights import status
from guardrail.weights.store import WeightStatus, how_to_bring

__all__ = ["Examination", "examine"]

PACKAGES = (
    "numpy",
    "pillow",
    "scipy",
    "onnxruntime",
    "dlib-bin",
    "faiss-cpu",
    "nudenet",
    "insightface",
    "torch",
    "diffusers",
    "transformers",
)


@dataclass(slots=True)
class Examination:
    """What was found. `faults` stop the default policy from being enforced, or from protecting somebody whom it is to
    protect; `remarks` do not."""

    system: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    policies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "packages": self.packages,
            "models": self.models,
            "checks": self.checks,
            "policies": self.policies,
            "faults": self.faults,
            "remarks": self.remarks,
        }


def examine(*, measure: bool = True, settings: CheckSettings | None = None) -> Examination:
    """Look at packages, keys, what is sealed under them, model files, checks and shipped policies.

    Args:
        measure: run each check once on a grey picture and a harmless text, and say how long it took.
        settings: what a guard of the user's would be given, such as the folder of an insightface pack.
    """
    found = Examination()
    settings = _with_nudity_models(settings or CheckSettings(), found)
    found.system = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "data folder": str(home()),
    }
    found.packages = {name: _version(name) for name in PACKAGES}
    found.remarks += opencv_remarks(_version) + gpu_remarks(_version) + gallery_remarks(home() / "gallery.sqlite")
    _look_at_distribution(found)
    ring = _look_at_keys(found)
    for s in status():
        found.models.append(
            {
                "name": s.weight.name,
                "state": s.state,
                "licence": s.weight.licence,
                "sha256": s.weight.sha256,
                "mend": _mend(s),
            }
        )
    try:
        declared = declared_checks()
        words = vocabulary(declared)
    except PluginError as error:
        # Every guard fails with the same words until the plugin is mended or gone: no policy can be enforced.
        found.faults.append(str(error))
        return found
    if settings.known is None:
        settings = replace(settings, known=opened_lists(home() / "known", ring))
    embedder = _look_at_checks(found, declared, settings, measure)
    _look_at_prompt_models(found, measure)
    _look_at_policies(found, declared, settings, words)
    # Last: a guard starts all the same, and protects the others.
    _look_for_uncovered(found, ring, embedder)
    return found


def _mend(found: WeightStatus) -> str:
    """What brings a model file that is not ready. A wrong file in front hides the right one, so it has to go first."""
    if found.state == "ready":
        return ""
    if found.state == "wrong hash":
        return f"remove {found.path}, then {how_to_bring(found.weight)}"
    return f"make {found.path} readable" if found.path else how_to_bring(found.weight)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _look_at_distribution(found: Examination) -> None:
    """Another project publishes under the name of our module."""
    try:
        other = distribution("guardrail")
    except PackageNotFoundError:
        return
    found.remarks.append(
        f"another project called guardrail ({other.version}) is installed as well; this one is guardrail-diffusion"
    )


def _look_at_keys(found: Examination) -> Keyring | None:
    """The keys, and what is sealed under them: a guard opens it all when it starts, and makes a key if it has none."""
    try:
        ring = find_keyring()
    except KeyringError as error:
        found.faults.append(str(error))
        return None
    if ring is None:
        found.system["key"] = "none yet; one is made on first use"
    else:
        found.system["key"] = f"{ring.active} of {len(ring.ids)} from {ring.source}"
    sealed = {
        "gallery": look_at_gallery(home() / "gallery.sqlite", ring),
        "known images": look_at_known(home() / "known", ring),
    }
    found.system |= {name: one.says for name, one in sealed.items() if one.says}
    found.faults += [one.fault for one in sealed.values() if one.fault]
    found.remarks += [one.remark for one in sealed.values() if one.remark]
    return ring


def _look_for_uncovered(found: Examination, ring: Keyring | None, embedder: tuple[str, str]) -> None:
    """Protected people whom the embedder in force cannot find: a fault of the check of faces."""
    check, name = embedder
    try:
        fault = uncovered_fault(home() / "gallery.sqlite", ring, name) if name else ""
    except GalleryError:
        return  # Said already.
    if fault:
        found.faults.append(fault)
        for row in found.checks:
            if row["name"] == check:
                row["fault"] = fault


def _look_at_checks(
    found: Examination, declared: Sequence[Declared], settings: CheckSettings, measure: bool
) -> tuple[str, str]:
    """A row a check. Returns the name of the check that has a face embedder, and of the embedder; empty without one."""
    embedder = ("", "")
    ready: list[tuple[dict[str, Any], Sequence[Check]]] = []
    for one in declared:
        gives = sorted(s.name for s in one.gives)
        row: dict[str, Any] = {"name": one.name, "origin": one.origin, "gives": gives}
        try:
            made, unavailable = construct(gives, settings, [one])
        except PluginError as error:
            found.checks.append(row | {"state": "unavailable", "cause": str(error)})
            continue
        if unavailable:
            row |= {"state": "unavailable", "cause": str(unavailable[0].error)}
        elif made:
            effective = made[0].effective()
            row |= {"state": "ready", "runs": effective.name, "weights": dict(effective.weights)}
            if callable(about := getattr(made[0], "about", None)):
                row["about"] = about()
            if name := getattr(getattr(made[0], "embedder", None), "name", ""):
                embedder = (one.name, name)
            ready.append((row, made))
        found.checks.append(row)
    # Not before all are there: some need what others find.
    there = [check for _, own in ready for check in own]
    for row, own in ready if measure else ():
        _measure(row, own[0], there)
    return embedder


def _measure(row: dict[str, Any], check: Check, others: Sequence[Check] = ()) -> None:
    row["ms"], cause = measured(check, others)
    if cause:
        row |= {"state": "fails when it runs", "cause": cause}


def _look_at_prompt_models(found: Examination, measure: bool) -> None:
    """The heavier checks that the environment asks for. One that cannot start is a fault: no guard starts then."""
    try:
        models = build.prompt_models(None)
    except ConfigurationError as error:
        found.faults.append(str(error))
        return
    for model in models:
        row: dict[str, Any] = {
            "name": type(model).__name__,
            "origin": "the user",
            "gives": [s.name for s in model.gives],
        }
        try:
            check = model.open(CheckSettings())
        except ConfigurationError as error:
            found.checks.append(row | {"state": "unavailable", "cause": str(error)})
            found.faults.append(str(error))
            continue
        effective = check.effective()
        row |= {"name": check.name, "state": "ready", "runs": effective.name, "weights": dict(effective.weights)}
        if measure:
            _measure(row, check)
        found.checks.append(row)


def _with_nudity_models(settings: CheckSettings, found: Examination) -> CheckSettings:
    """With the second opinions on nudity that the environment asks for: they are part of that check's row."""
    if settings.nudity_models:
        return settings
    try:
        return replace(settings, nudity_models=build.nudity_models(None))
    except ConfigurationError as error:
        found.faults.append(str(error))
        return settings


def _look_at_policies(
    found: Examination, declared: Sequence[Declared], settings: CheckSettings, words: Vocabulary
) -> None:
    # Without its keys, what is sealed under them, or a check that the user asked for, no guard starts under any policy.
    stops = next(iter(found.faults), "")
    for path in sorted(shipped_policies().glob("*.yaml")):
        if path.name.endswith(".test.yaml"):
            continue
        row: dict[str, Any] = {"policy": path.stem}
        try:
            engine = BuiltinEngine(load_policy(path, vocabulary=words, actions=action_kinds()))
            build.build_checks(engine, settings, declared)
            row |= {"state": "cannot be enforced", "cause": stops} if stops else {"state": "can be enforced"}
        except ConfigurationError as error:
            row |= {"state": "cannot be enforced", "cause": str(error)}
            if path.stem == "default":
                found.faults.append(str(error))
        found.policies.append(row)
