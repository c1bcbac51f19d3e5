"""Export Video Seal 1.0 or Pixel Seal from its published checkpoint, for `guardrail.marks.adapters.videoseal`.

In a checkout of https://github.com/facebookresearch/videoseal with the environment that its README describes, plus
``onnx onnxruntime``; started from the root of the checkout, where the package looks for its cards and configurations:

    python .../training/marks_export/videoseal.py videoseal_1.0 FOLDER
    python .../training/marks_export/videoseal.py pixelseal FOLDER

The mask of visibility (JND) is worked out at the network's size, which the package offers as `lowres_attenuation`.
NOT RUN by guardrail's authors with the published weights: they lie on no package index.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# This file has the package's name: its folder must not be searched for it.
_HERE = str(Path(__file__).resolve().parent)
sys.path = [str(Path.cwd()), *(p for p in sys.path if str(Path(p or ".").resolve()) != _HERE)]

import torch  # noqa: E402
import videoseal  # noqa: E402
from videoseal.modules.jnd import JND  # noqa: E402

sys.path.append(_HERE)
import folder as exported  # noqa: E402


class Encoder(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor, message: torch.Tensor) -> torch.Tensor:
        marked = self.network.embed(image, message, is_video=False, lowres_attenuation=True)["imgs_w"]
        return marked - image


class Decoder(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        # The first value is that of a mask, which these networks do not train.
        return self.network.detect(image, is_video=False)["preds"][:, 1:]


def luminance_masking(self: JND, x: torch.Tensor, alpha: float = 1.0, eps: float = 1e-5) -> torch.Tensor:
    """The package's `JND.jnd_la` (Wu et al. 2017, eq. 4) without assignments in place, which ONNX has not."""
    la = self.conv_lum(x) / 32
    dark = 17 * (1 - torch.sqrt(la.clamp(0, 127) / 127 + eps))
    return alpha * torch.where(la <= 127, dark, 3 / 128 * (la - 127) + 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", help="videoseal_1.0, pixelseal, or another card of 256 bits in the checkout")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    JND.jnd_la = luminance_masking
    network = videoseal.load(chosen.card).eval()
    side = int(network.img_size)
    exported.write(
        chosen.folder,
        kind="videoseal",
        variant=chosen.card,
        licence="MIT",
        source="https://github.com/facebookresearch/videoseal",
        bits=256,
        strength=1.0,
        encoder=Encoder(network),
        encoder_side=side,
        decoder=Decoder(network),
        decoder_side=side,
    )


if __name__ == "__main__":
    main()
