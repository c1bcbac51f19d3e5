"""What a manifest says: who made the picture with what, that it is synthetic, what it was made from, and its mark.

Actions and their order: C2PA specification 2.2, section 18.14; soft binding: section 9.3. No prompt and no user is in
it, and the name of no file. What the XMP says (provider, decision) is covered by the signature, since the hash of the
manifest covers the whole file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.errors import MarkError
from guardrail.marks.label import SOURCE_TYPES, Label
from guardrail.version import __version__

__all__ = ["INGREDIENT", "SOFT_BINDING", "actions_of", "definition", "soft_bindings_of"]

SOFT_BINDING = "org.guardrail.tileline.v1"
"""The algorithm of our soft binding: its value is the mark id in the watermark, in hex."""
INGREDIENT = "input"
_UNREADABLE = "it carried Content Credentials that could not be read"


def definition(
    label: Label, *, opened: bool = False, unreadable: str = "", redactions: Sequence[str] = ()
) -> dict[str, Any]:
    """The manifest as the library takes it.

    Args:
        opened: made from an input file, which is the parent ingredient; else created.
        unreadable: media type of an input whose own manifest cannot be kept: it is named as an ingredient without one.
        redactions: JUMBF addresses in the input's manifests of what is left out.

    Raises:
        MarkError: the label says no source type, without which no action may create or edit.
    """
    if not label.source_type:
        raise MarkError("the label has no source type: Content Credentials cannot say how the picture was made")
    guardrail = {"name": "guardrail", "version": __version__}
    made = {
        "action": "c2pa.edited" if opened else "c2pa.created",
        "digitalSourceType": SOURCE_TYPES + label.source_type,
        "softwareAgent": _agent(label),
        "when": label.created,
    }
    actions: list[dict[str, Any]] = [{k: v for k, v in made.items() if v}]
    if opened:
        # An input that was only opened has no agent of its own.
        actions.insert(0, {"action": "c2pa.opened", "parameters": {"ingredientIds": [INGREDIENT]}})
    actions += [
        {"action": "c2pa.redacted", "reason": "c2pa.PII.present", "parameters": {"redacted": address}}
        for address in redactions
    ]
    bindings = []
    if label.mark_id:
        actions.append({"action": "c2pa.watermarked.bound", "softwareAgent": guardrail})
        blocks = [{"scope": {}, "value": label.mark_id}]
        bindings = [{"label": "c2pa.soft-binding", "data": {"alg": SOFT_BINDING, "blocks": blocks}}]
    manifest: dict[str, Any] = {
        "claim_generator_info": [guardrail],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}, *bindings],
    }
    if redactions:
        manifest["redactions"] = list(redactions)
    if unreadable:
        manifest["ingredients"] = [{**ingredient(), "format": unreadable, "description": _UNREADABLE}]
    return manifest


def _agent(label: Label) -> dict[str, str]:
    version = {"version": label.system_version} if label.system_version else {}
    return {"name": label.system, **version} if label.system else {}


def ingredient() -> dict[str, str]:
    """The input as an ingredient; the name of its file stays out."""
    return {"title": INGREDIENT, "relationship": "parentOf", "label": INGREDIENT}


def actions_of(manifest: Any) -> list[dict[str, Any]]:
    """All actions of a manifest, as it was defined or as it was read."""
    return [action for data in _assertions(manifest, "c2pa.actions") for action in _dicts(data.get("actions"))]


def soft_bindings_of(manifest: Any) -> list[tuple[str, str]]:
    """All soft bindings of a manifest: (algorithm, value)."""
    return [
        (str(data.get("alg", "")), str(block.get("value", "")))
        for data in _assertions(manifest, "c2pa.soft-binding")
        for block in _dicts(data.get("blocks"))
    ]


def _assertions(manifest: Any, label: str) -> list[dict[str, Any]]:
    entries = _dicts(manifest.get("assertions")) if isinstance(manifest, dict) else []
    # Further assertions of a kind are numbered (label__1), and newer ones carry a version.
    kinds = ((str(entry.get("label", "")).split("__")[0].removesuffix(".v2"), entry.get("data")) for entry in entries)
    return [data for kind, data in kinds if kind == label and isinstance(data, dict)]


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Read from files that anybody may have written: nothing is taken for granted."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
