"""What the three export scripts share: writing two ONNX files and the manifest that `guardrail` verifies.

The graphs' inputs and outputs are described in `guardrail/marks/adapters/export.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch


def write(
    folder: Path,
    *,
    kind: str,
    variant: str,
    licence: str,
    source: str,
    bits: int,
    strength: float,
    encoder: torch.nn.Module,
    encoder_side: int,
    decoder: torch.nn.Module,
    decoder_side: int,
    answer: str = "bits",
) -> None:
    """Export both networks, compare each with torch on one random picture, and write the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(1)

    def picture(side: int) -> torch.Tensor:
        return torch.rand(1, 3, side, side, generator=generator)

    message = torch.randint(0, 2, (1, bits), generator=generator).float()
    parts = {
        "encoder": (encoder, {"image": picture(encoder_side), "message": message}, "residual", encoder_side),
        "decoder": (decoder, {"image": picture(decoder_side)}, answer, decoder_side),
    }
    said: dict[str, Any] = {
        "guardrail_mark": 1,
        "kind": kind,
        "variant": variant,
        "licence": licence,
        "source": source,
        "bits": bits,
        "strength": strength,
    }
    for part, (network, inputs, output, side) in parts.items():
        path = folder / f"{part}.onnx"
        network.eval()
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=[output],
            opset_version=17,
            dynamo=False,
        )
        _compare(path, network, inputs, output)
        said[part] = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "side": side}
    (folder / "guardrail-mark.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    print(f"{folder}: {kind} {variant}, licence {licence}")


def _compare(path: Path, network: torch.nn.Module, inputs: dict[str, torch.Tensor], output: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = network(*inputs.values())
    (given,) = session.run([output], {name: value.numpy() for name, value in inputs.items()})
    furthest = float((torch.from_numpy(given) - wanted).abs().max())
    scale = float(wanted.abs().max())
    if not furthest <= 1e-3 * max(scale, 1e-6):
        raise SystemExit(f"{path} differs from torch by {furthest:g} of {scale:g}: not exported")
