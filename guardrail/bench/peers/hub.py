"""Models that the user has in a folder, through the adapters that guardrail's own checks use for them.

None is shipped and none is downloaded: safetensors only, no code of the folder's own, no network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from guardrail.bench.peers.base import Answer, Opened, Peer, package_version, without
from guardrail.bench.peers.encoder import hub_embeddings
from guardrail.bench.peers.learned import Training
from guardrail.bench.peers.plan import Hub

__all__ = ["KNOWN_IMAGES", "KNOWN_TEXTS", "absent", "image_model", "text_model"]

# Named in every report, so that a reader sees what was not run: name → (its licence, what it is).
KNOWN_TEXTS = {
    "Llama Guard": ("Llama Community License", "meta-llama/Llama-Guard-3-1B"),
    "Qwen3Guard": ("Apache-2.0", "Qwen/Qwen3Guard-Gen-0.6B"),
    "ShieldGemma": ("Gemma Terms of Use", "google/shieldgemma-2b"),
    "MiniLM": ("Apache-2.0", "sentence-transformers/all-MiniLM-L6-v2"),
}
KNOWN_IMAGES = {
    "diffusers safety checker": ("CreativeML OpenRAIL-M", "CompVis/stable-diffusion-safety-checker"),
    "Falconsai": ("Apache-2.0", "Falconsai/nsfw_image_detection"),
    "Marqo": ("Apache-2.0", "Marqo/nsfw-image-detection-384"),
}
_SENTENCES = ("bert", "mpnet", "xlm-roberta", "roberta", "distilbert")  # architectures of sentence encoders
HALF = 0.5


def absent(kind: str, given: set[str]) -> list[Peer]:
    """The known models that no folder was given for."""
    known = KNOWN_TEXTS if kind == "text" else KNOWN_IMAGES
    return [
        Peer(
            name,
            "text" if kind == "text" else "image",
            _no_folder,
            licence=licence,
            lacking=f"no folder given: hf download {hub_id}, then --hub {name.split()[0].lower()}=FOLDER",
        )
        for name, (licence, hub_id) in known.items()
        if not any(word in one.lower() for one in given for word in (name.lower(), name.split()[0].lower()))
    ]


def _no_folder() -> Opened:
    raise FileNotFoundError


def text_model(model: Hub, training: Callable[[], Training] | None, seed: int) -> Peer:
    """A judge of texts: a guard that answers in words, a classifier with labels, or a sentence encoder with a head."""
    if not model.folder.is_dir():
        return _not_there(model, "text")
    if not model.unsafe and _config(model.folder).get("model_type") in _SENTENCES:
        return hub_embeddings(model.name, model.folder, training, seed)
    return Peer(
        model.name,
        "text",
        partial(_text, model),
        _version(model.folder),
        "of the folder",
        f"score ≥ {HALF:g}",
        "what its card names",
        without("transformers", '"guardrail-diffusion[diffusers]"'),
    )


def _text(model: Hub) -> Opened:
    from guardrail.checks.text.heavy import Classifier, GenerativeGuard
    from guardrail.checks.text.heavy.check import Scorer
    from guardrail.checks.text.heavy.generative import GuardScorer
    from guardrail.checks.text.heavy.sequence import SequenceScorer

    scorer: Scorer = (
        SequenceScorer.load(Classifier(model.folder, model.unsafe))
        if model.unsafe
        else GuardScorer.load(GenerativeGuard(model.folder))
    )
    return Opened(lambda text: _decided(scorer.score(text), HALF), _weights(scorer.weights))


def image_model(model: Hub) -> Peer:
    """A judge of pictures: the safety checker of Stable Diffusion, or a classifier with labels."""
    if not model.folder.is_dir():
        return _not_there(model, "image")
    checker = "StableDiffusionSafetyChecker" in _config(model.folder).get("architectures", ())
    return Peer(
        model.name,
        "image",
        partial(_image, model, checker),
        _version(model.folder),
        "of the folder",
        "its own thresholds of likeness" if checker else f"score ≥ {HALF:g}",
        "what its card names",
        without("transformers", '"guardrail-diffusion[diffusers]"'),
    )


def _image(model: Hub, checker: bool) -> Opened:
    from guardrail.checks.image.nudity.hub import HubClassifier, SafetyChecker

    # A label that was not named is harmless; without any named, the model has to be one of those known by their labels.
    names = _config(model.folder).get("id2label", {}).values() if model.unsafe else ()
    labels = {str(name): "explicit" if name in model.unsafe else "harmless" for name in names}
    asked = SafetyChecker(model=model.folder) if checker else HubClassifier(model=model.folder, labels=labels)
    opinion = asked.open()
    # The safety checker's score is one half where a likeness is at its own threshold.
    return Opened(lambda pixels: _decided(opinion.score(pixels), HALF), _weights(opinion.weights))


def _decided(score: float, limit: float) -> Answer:
    return Answer("block" if score >= limit else "allow", score)


def _not_there(model: Hub, kind: Any) -> Peer:
    return Peer(model.name, kind, _no_folder, lacking=f"{model.folder} is no folder: --hub {model.name}=FOLDER")


def _config(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # the loader says what is wrong with it
    return told if isinstance(told, dict) else {}


def _version(folder: Path) -> str:
    return f"{folder.name}, transformers {package_version('transformers')}"


def _weights(weights: Any) -> dict[str, str]:
    return {f"sha256 of {file}": sha for file, sha in weights.items()}
