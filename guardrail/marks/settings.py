"""How a deployment marks what its guard releases: who it is, how strong, who signs, where it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guardrail.marks.credentials import Signer

__all__ = ["Marking"]


@dataclass(frozen=True, slots=True)
class Marking:
    """What every mark of a deployment has in common. Whether an output is marked is for the policy to say.

    Args:
        provider: name of who offers the service, as it stands in metadata and credentials.
        provider_code: the provider's code for the Chinese AIGC field where it has one; `provider` stands in for it.
        psnr_db: strength of the watermark, 30..60 dB; more is fainter.
        signer: signs Content Credentials (C2PA) into files; ``None`` writes none.
        registry: the SQLite file in which released outputs are registered; ``None`` keeps no registry.
        font: a font file for visible labels, for scripts that the built-in font lacks.
    """

    provider: str = ""
    provider_code: str = ""
    psnr_db: float = 43.0
    signer: Signer | None = None
    registry: str | Path | None = None
    font: str | Path | None = None
