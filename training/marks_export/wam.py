"""Export Watermark Anything from its published checkpoint, for `guardrail.marks.adapters.wam`.

In a checkout of https://github.com/facebookresearch/watermark-anything with the environment that its README describes,
plus ``onnx onnxruntime``; started from the root of the checkout:

    python .../training/marks_export/wam.py checkpoints/params.json checkpoints/wam_mit.pth FOLDER

Take ``wam_mit.pth`` (MIT): the checkpoint ``wam_coco.pth`` is for non-commercial use. The networks work on pictures
normalised as for ImageNet; the exported graphs take and give plain ones.
NOT RUN by guardrail's authors: neither the weights nor the code lie on a package index.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
sys.path = [str(Path.cwd()), *(p for p in sys.path if str(Path(p or ".").resolve()) != _HERE)]

import torch  # noqa: E402
from notebooks.inference_utils import load_model_from_checkpoint  # noqa: E402

sys.path.append(_HERE)
import folder as exported  # noqa: E402

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalised(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1))


class Encoder(Normalised):
    def forward(self, image: torch.Tensor, message: torch.Tensor) -> torch.Tensor:
        marked = self.network.embed((image - self.mean) / self.spread, message)["imgs_w"]
        return marked * self.spread + self.mean - image


class Decoder(Normalised):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network.detect((image - self.mean) / self.spread)["preds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parameters", help="params.json of the checkout")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    network = load_model_from_checkpoint(chosen.parameters, str(chosen.checkpoint)).eval()
    free = chosen.checkpoint.name == "wam_mit.pth"
    exported.write(
        chosen.folder,
        kind="wam",
        variant=chosen.checkpoint.stem,
        licence="MIT" if free else "non-commercial, or unknown: not wam_mit.pth",
        source="https://github.com/facebookresearch/watermark-anything",
        bits=32,
        strength=1.0,
        encoder=Encoder(network),
        encoder_side=256,
        decoder=Decoder(network),
        decoder_side=256,
        answer="dense",
    )


if __name__ == "__main__":
    main()
