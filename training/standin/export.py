"""Writes what was trained into the one file that the package ships: float16, safetensors."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

SHIPPED = Path(__file__).parent.parent.parent / "guardrail" / "demo" / "weights" / "standin.safetensors"
PARTS = {"judge": "judge-final.pt", "preview_judge": "judge-preview.pt"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--to", type=Path, default=SHIPPED)
    options = parser.parse_args()

    def state(name: str, part: str) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = torch.load(options.work / name, weights_only=True)[part]
        return found

    networks = {"vae": state("vae.pt", "vae"), "text_encoder": state("text.pt", "text_encoder")}
    networks["unet"] = {k.removeprefix("unet."): v for k, v in state("unet.pt", "kept").items()}
    for part, name in PARTS.items():
        if (options.work / name).exists():
            networks[part] = state(name, "net")
    tensors = {
        f"{part}.{key}": (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for part, network in networks.items()
        for key, tensor in network.items()
    }
    options.to.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, options.to)
    print(options.to.stat().st_size, hashlib.sha256(options.to.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
