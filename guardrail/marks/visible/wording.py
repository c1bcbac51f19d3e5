"""What a visible label says: ready wordings by name, or any text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from guardrail.decision import TEXT_JOINT, Decision, Stage

__all__ = ["PRESETS", "Preset", "visible_text", "wording"]


class Preset(NamedTuple):
    """A ready wording: for a picture that was made from words, and for one that was made out of another picture."""

    generated: str
    modified: str


# The words of the laws as secondary sources give them (see policies/packs/README.md); not compared with the originals.
PRESETS: Mapping[str, Preset] = {
    # The words of the icon in the annex of the EU's Code of Practice on Transparency of AI-Generated Content.
    "eu": Preset("AI GENERATED", "AI MODIFIED"),
    # GB 45438-2025: "AI" or 人工智能, together with 生成 (generated) or 合成 (synthesised).
    "cn": Preset("AI生成", "AI生成"),
    "cn-long": Preset("人工智能生成合成", "人工智能生成合成"),
    # Korea, AI Basic Act, Art. 31: 생성물 (what was generated).
    "kr": Preset("AI 생성물", "AI 생성물"),
    "en": Preset("AI-generated", "AI-modified"),
}


def wording(text: str, *, modified: bool = False) -> str:
    """The text of a label: each part that is the name of a preset is replaced by its wording, all else stays.

    Args:
        text: one or several texts, joined as the texts of several rules are (`guardrail.decision.TEXT_JOINT`).
        modified: the picture was made out of another one.
    """
    parts = (part.strip() for part in text.split(TEXT_JOINT))
    words = (PRESETS[part][modified] if part in PRESETS else part for part in parts)
    return TEXT_JOINT.join(dict.fromkeys(word for word in words if word))


def visible_text(decision: Decision) -> str:
    """What the picture that a decision is about has to say; empty where no rule asks for a visible label.

    A picture into which another one went is a modified one, as it is a composite in the metadata.
    """
    return wording(str(decision.labels.get("visible", "")), modified=Stage.REFERENCE in decision.due)
