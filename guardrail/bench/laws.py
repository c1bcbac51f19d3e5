"""What some laws are said to ask of generated images, and where guardrail does something about it. No legal advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.bench.quoting import rows
from guardrail.bench.report import table
from guardrail.bench.tables import Sheet

__all__ = ["mapping"]

_NOTE = (
    "**This is not legal advice.** What stands here comes from secondary sources (November 2026) that were not "
    "compared with the originals; have counsel confirm dates and scope. The duties one by one, with what is "
    "configuration, what is not there and what is the provider's: policies/packs/README.md."
)
# (law, said to apply, what it asks, what guardrail has, the pack of rules)
_LAWS = (
    (
        "EU AI Act, Art. 50(2)",
        "from 2026-08-02; systems on the market before: from 2026-12-02",
        "outputs marked in a machine-readable form and detectable as generated",
        "watermark, metadata, Content Credentials where a signer is set; what cannot be marked is not released "
        "(docs/watermark.md, docs/metadata.md, docs/credentials.md); guardrail verify",
        "eu",
    ),
    (
        "EU AI Act, Art. 50(4)",
        "as above; a duty of the deployer",
        "deepfakes are disclosed",
        "metadata by the pack; a visible label as configuration (docs/visible-labels.md)",
        "eu",
    ),
    (
        "Korea, AI Basic Act, Art. 31 and Decree Art. 22",
        "from 2026-01-22, fines with at least a year of grace",
        "prior notice; outputs labelled for people or machines; deepfake-like outputs clearly visible",
        "watermark, metadata, visible label (docs/visible-labels.md); the notice is the provider's",
        "kr",
    ),
    (
        "California SB 942, as amended by AB 853",
        "from 2026-08-02, providers with more than a million monthly users",
        "latent disclosure (provider, system, version, time, unique id); a free detection tool; visible disclosure as "
        "an option",
        "watermark and metadata (docs/watermark.md, docs/metadata.md); guardrail verify; the public service is the "
        "provider's",
        "us",
    ),
    (
        "China, labelling measures and GB 45438-2025",
        "mandatory from 2025-09-01",
        "implicit label (metadata field AIGC) and explicit label, at least 5 % of the short side high",
        "both, where a provider is named (docs/metadata.md, docs/visible-labels.md)",
        "cn",
    ),
    (
        "US, TAKE IT DOWN Act",
        "for platforms from 2026-05-19",
        "removal within 48 hours of a valid request, and of identical copies",
        "rules against making such images; lists of known images (docs/known-images.md); intake and clock are the "
        "provider's",
        "us",
    ),
)


def mapping(facts: Mapping[str, Any]) -> list[str]:
    """The section of a card, in Markdown.

    Args:
        facts: of the run: whether a pack's rules were in force is read from the ids of the policy's rules.
    """
    policies = list(rows(facts.get("policies") or facts.get("policy")))
    named = [one["rules"] for one in policies if one.get("rules")]
    made = []
    for law, since, asks, has, pack in _LAWS:
        mine = sorted({str(rule) for rules in named for rule in rules if str(rule).startswith(f"{pack}-")})
        in_force = ", ".join(mine) or "none" if named else "not known from this run"
        made.append((law, since, asks, has, f"{pack}: {in_force}"))
    head = ("law", "said to apply", "asks for", "guardrail has", "pack, and its rules in this run")
    return [_NOTE, "", *table(Sheet("", head, tuple(made), words=5))]
