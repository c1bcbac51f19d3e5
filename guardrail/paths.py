"""Where guardrail keeps what belongs to this installation: keys, pulled model files, gallery, audit log."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home", "shipped_policies"]


def home() -> Path:
    """The data folder of this user: ``$GUARDRAIL_HOME``, else the platform's usual place. Not created here."""
    override = os.environ.get("GUARDRAIL_HOME")
    if override:
        return Path(override).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_path("guardrail-diffusion", appauthor=False))


def shipped_policies() -> Path:
    """The folder with the shipped rule files: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    inside = package / "policies"
    return inside if inside.is_dir() else package.parent / "policies"
