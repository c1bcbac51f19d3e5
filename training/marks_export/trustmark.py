"""Export TrustMark Q or P from its published checkpoint, for `guardrail.marks.adapters.trustmark`.

In an environment of its own (the package pulls lightning, torchvision and others, which guardrail does not use):

    pip install trustmark==0.9.2 onnx onnxruntime
    python training/marks_export/trustmark.py Q FOLDER

The package downloads the checkpoint on first use and reads it with `torch.load`: trust its source, or run this apart.
NOT RUN by guardrail's authors with the published weights: they lie on no package index.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# This file has the package's name: its folder must not be searched for it.
_HERE = str(Path(__file__).resolve().parent)
sys.path = [p for p in sys.path if str(Path(p).resolve()) != _HERE]

import torch  # noqa: E402
from trustmark import TrustMark  # noqa: E402

sys.path.append(_HERE)
import folder as exported  # noqa: E402

# As the package has them: sides of encoder and decoder, and P's residual made stronger.
SIDES = {"Q": (256, 245), "P": (256, 224)}
STRENGTH = {"Q": 1.0, "P": 1.25}


class Encoder(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor, message: torch.Tensor) -> torch.Tensor:
        cover = image * 2 - 1
        stego, _ = self.network(cover, message)
        residual = stego.clamp(-1, 1) - cover
        # No shift of colour; from -1..1 to 0..1.
        return (residual - residual.mean(dim=(2, 3), keepdim=True)) / 2


class Decoder(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network.decoder(image * 2 - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=sorted(SIDES))
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    mark = TrustMark(verbose=False, model_type=chosen.variant, device="cpu", loadRemover=False)
    exported.write(
        chosen.folder,
        kind="trustmark",
        variant=chosen.variant,
        licence="MIT",
        source="trustmark 0.9.2, https://github.com/adobe/trustmark",
        bits=100,
        strength=STRENGTH[chosen.variant],
        encoder=Encoder(mark.encoder),
        encoder_side=SIDES[chosen.variant][0],
        decoder=Decoder(mark.decoder),
        decoder_side=SIDES[chosen.variant][1],
    )


if __name__ == "__main__":
    main()
