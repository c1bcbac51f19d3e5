"""How users name heavier checks, in code and in a file."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.heavy import Classifier, EncoderHead, GenerativeGuard, read_settings
from guardrail.errors import ConfigurationError, MissingExtra


def write(folder: Path, content: Any) -> Path:
    path = folder / "models.yaml"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_a_file_lists_models(tmp_path: Path) -> None:
    (tmp_path / "nsfw").mkdir()
    path = write(
        tmp_path,
        "- {kind: classifier, model: nsfw, unsafe: [NSFW, hentai], suggestive: 0.3, explicit: 0.8, name: nsfw}\n"
        "- {kind: classifier, model: nsfw, unsafe: NSFW}\n"
        "- {kind: guard, model: Qwen/Qwen3Guard-Gen-0.6B, device: cuda, any_category: true}\n"
        "- {kind: encoder-head, source: /models/pipeline, encoder: text_encoder_2}\n",
    )
    assert read_settings(path) == (
        Classifier(str(tmp_path / "nsfw"), ("NSFW", "hentai"), suggestive=0.3, explicit=0.8, name="nsfw"),
        Classifier(str(tmp_path / "nsfw"), ("NSFW",)),
        GenerativeGuard("Qwen/Qwen3Guard-Gen-0.6B", device="cuda", any_category=True, timeout_s=60.0),
        EncoderHead("/models/pipeline", "text_encoder_2"),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{kind: guard}", "must hold a list of prompt models, not dict"),
        ("- guard", "model 1: it must be a mapping, not str"),
        ("- [", "neither JSON nor YAML"),
        (
            "- {kind: guard, model: a/b}\n- {kind: oracle}",
            "model 2: kind must be one of classifier, guard, encoder-head",
        ),
        ("- {kind: guard, model: a/b, labels: [x]}", "unknown labels; there is: any_category, device"),
        ("- {kind: guard}", "model must name a folder"),
        ("- {kind: encoder-head, source: 3}", "source must name a folder"),
        ("- {kind: guard, model: a/b, suggestive: 0.9}", "model 1: .* 0 < suggestive < explicit < 1, not 0.9 and 0.7"),
        ("- {kind: guard, model: a/b, suggestive: low}", "model 1: a value has the wrong type"),
        ("- {kind: guard, model: a/b, timeout_s: .nan}", "timeout_s over 0"),
        ("- {kind: guard, model: a/b, readings: 0}", "readings of 1 or more"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_settings(write(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        read_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize("package", ["torch", "transformers"])
@pytest.mark.parametrize("model", [Classifier("x", ("NSFW",)), GenerativeGuard("x"), EncoderHead("x")])
def test_without_the_packages_the_message_has_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, package: str, model: Any
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, package)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r'pip install "guardrail-diffusion\[diffusers\]"'):
        model.open(CheckSettings())
