"""CLIP as another opinion: a tiny model of the same architecture, made here, with random weights or steered ones."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings, SignalValues
from guardrail.checks.image.faces import FaceCheck
from guardrail.checks.image.realness import REAL_SCORE, judge_face
from guardrail.errors import CheckError, ConfigurationError, GuardrailError
from guardrail.media import Request
from guardrail.media.read import read_image
from guardrail.signals import Stage

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from guardrail.checks.image.realness_clip import (  # noqa: E402 — needs the packages above
    DEPICTION_PROMPTS,
    PHOTOGRAPH_PROMPTS,
    ClipRealness,
    ClipZeroShot,
)

BOX = (20.0, 20.0, 80.0, 80.0)
PICTURE = np.random.default_rng(1).integers(0, 256, (120, 120, 3)).astype(np.uint8)
SIDE = 32


def tokenizer() -> Any:
    """Each word of the prompts is a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = sorted({w for p in (*PHOTOGRAPH_PROMPTS, *DEPICTION_PROMPTS) for w in p.split()})
    names = ["<pad>", "<start>", "<unk>", *words, "<end>"]
    inner = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", len(names) - 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", bos_token="<start>", eos_token="<end>"
    )


def clip(words: int) -> Any:
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={
            **sizes,
            "vocab_size": words,
            "eos_token_id": words - 1,
            "bos_token_id": 1,
            "pad_token_id": 0,
            "max_position_embeddings": 32,
            "projection_dim": 8,
        },
        vision_config={**sizes, "image_size": SIDE, "patch_size": 8, "projection_dim": 8},
        projection_dim=8,
    )
    return transformers.CLIPModel(config).eval()


def written(path: Path, model: Any) -> Path:
    model.save_pretrained(path)
    tokenizer().save_pretrained(path)
    said = {"size": SIDE, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    (path / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights, written once."""
    return written(tmp_path_factory.mktemp("plain"), clip(len(tokenizer())))


@pytest.fixture
def folder(tmp_path: Path, plain: Path) -> Callable[..., Path]:
    """A model folder of the test's own; `change` alters the model first."""

    def write(change: Callable[[Any], None] | None = None) -> Path:
        path = tmp_path / "clip"
        if change is None:
            return Path(shutil.copytree(plain, path))
        model = clip(len(tokenizer()))
        with torch.no_grad():
            change(model)
        return written(path, model)

    return write


def sees_like(model: Any, at: int) -> None:
    """Whatever the picture, its vector is that of prompt number `at`."""
    prompts = (*PHOTOGRAPH_PROMPTS, *DEPICTION_PROMPTS)
    ids = tokenizer()(prompts[at], return_tensors="pt")
    found = model.get_text_features(**{k: ids[k] for k in ("input_ids", "attention_mask")})
    target = getattr(found, "pooler_output", found)[0]
    norm = model.vision_model.post_layernorm
    norm.weight.zero_()
    norm.bias.zero_()
    norm.bias[0] = 1.0
    model.visual_projection.weight.zero_()
    model.visual_projection.weight[:, 0] = target
    model.logit_scale.fill_(8.0)


@pytest.mark.parametrize(
    ("prompt", "verdict"),
    [(0, "unsure"), (len(PHOTOGRAPH_PROMPTS) - 1, "unsure"), (len(PHOTOGRAPH_PROMPTS), "depiction"), (-1, "depiction")],
)
def test_the_nearest_prompt_decides(folder: Callable[..., Path], prompt: int, verdict: str) -> None:
    backend = ClipRealness.load(folder(lambda m: sees_like(m, prompt)), 0.9)
    assert judge_face(PICTURE, BOX, backend) == verdict


def test_random_weights_are_sure_of_nothing_and_always_say_the_same(folder: Callable[..., Path]) -> None:
    backend = ClipRealness.load(folder(), 0.95)
    share = backend.depiction_share(PICTURE, BOX)
    assert share is not None
    assert 0.0 < share < 0.95
    backend.depiction_share(PICTURE[::-1].copy(), BOX)
    assert backend.depiction_share(PICTURE, BOX) == share
    assert judge_face(PICTURE, BOX, backend) == "unsure"


def test_a_box_outside_of_the_picture_is_unsure(folder: Callable[..., Path]) -> None:
    backend = ClipRealness.load(folder(lambda m: sees_like(m, -1)), 0.9)
    assert judge_face(PICTURE, (300.0, 300.0, 80.0, 80.0), backend) == "unsure"


def test_loading_leaves_the_global_random_state_alone(folder: Callable[..., Path]) -> None:
    path = folder()
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    ClipRealness.load(path, 0.9)
    assert torch.equal(torch.rand(1), expected)


def test_a_value_that_is_no_number_is_an_error_and_no_answer(folder: Callable[..., Path]) -> None:
    backend = ClipRealness.load(folder(), 0.9)
    with torch.no_grad():
        backend._model.visual_projection.weight[0, 0] = float("nan")
    with pytest.raises(CheckError, match="no number"):
        judge_face(PICTURE, BOX, backend)


def _nothing_to_read(path: Path) -> None:
    for file in ("tokenizer.json", "vocab.json"):
        (path / file).unlink(missing_ok=True)


def _pickled(path: Path) -> None:
    (path / "model.safetensors").rename(path / "pytorch_model.bin")


def _another_kind(path: Path) -> None:
    said = json.loads((path / "config.json").read_text("utf-8"))
    (path / "config.json").write_text(json.dumps({**said, "model_type": "siglip"}), "utf-8")


def _said(**values: Any) -> Callable[[Path], Any]:
    def spoil(path: Path) -> None:
        file = path / "preprocessor_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}), "utf-8")

    return spoil


def _no_scale(path: Path) -> None:
    (path / "preprocessor_config.json").write_text(
        '{"size": 32, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0, 0.5]}'
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: (p / "preprocessor_config.json").unlink(), "how pictures are scaled"),
        (_no_scale, "cannot be read"),
        (_said(rescale_factor=1.0), "cannot be read"),
        (_said(image_mean=[float("nan")] * 3), "cannot be read"),
        (_said(size=SIDE * 2), "another size"),
        (_nothing_to_read, "no tokenizer"),
        (_pickled, "no .safetensors"),
        (_another_kind, "not clip"),
        (lambda p: (p / "config.json").unlink(), "no config.json"),
    ],
)
def test_what_cannot_be_trusted_does_not_load(
    folder: Callable[..., Path], spoil: Callable[[Path], Any], says: str
) -> None:
    path = folder()
    spoil(path)
    with pytest.raises(ConfigurationError, match=says):
        ClipRealness.load(path, 0.9)


def test_weights_that_are_no_numbers_do_not_load(folder: Callable[..., Path]) -> None:
    path = folder(lambda m: m.text_projection.weight.fill_(float("nan")))
    with pytest.raises(ConfigurationError, match="no numbers"):
        ClipRealness.load(path, 0.9)


@pytest.mark.parametrize("at_least", [0.0, 0.49, 1.01, float("nan")])
def test_a_threshold_that_would_call_half_of_everything_a_depiction_is_refused(tmp_path: Path, at_least: float) -> None:
    with pytest.raises(ConfigurationError, match="threshold"):
        ClipRealness.load(tmp_path, at_least)


def test_a_model_that_is_not_there_is_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="downloads no model"):
        ClipRealness.load("nobody/no-such-clip", 0.9)


# ---- as a user of the guard names it


def test_the_face_check_asks_the_model_that_the_user_named(
    folder: Callable[..., Path], embedded_models: None, portrait: Any
) -> None:
    path = folder(lambda m: sees_like(m, -1))
    request = Request(images=(read_image(portrait),))
    real = []
    for model in (None, ClipZeroShot(path, 0.9)):
        check = FaceCheck(CheckSettings(face_backend="embedded", realness_model=model))
        (answer,) = check.check([request], Stage.REFERENCE)
        assert isinstance(answer, SignalValues)
        real += [item["real"] for item in answer.signals["reference.faces"]]  # type: ignore[union-attr]
        named = check.effective()
        assert ("clip" in named.name) == ("model.safetensors" in named.weights) == (model is not None)
    assert real == [REAL_SCORE["unsure"], REAL_SCORE["depiction"]]


def test_a_named_model_that_is_not_there_is_refused_when_the_guard_is_built(
    tmp_path: Path, make_guard: Callable[..., Any], embedded_models: None
) -> None:
    with pytest.raises(GuardrailError, match="no-clip"):
        make_guard("default", face_backend="embedded", realness_model=ClipZeroShot(tmp_path / "no-clip", 0.9))


def test_a_folder_without_a_threshold_is_refused(make_guard: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a threshold that you measured"):
        make_guard("default", realness_model=tmp_path)


def test_the_setting_travels_to_another_process(tmp_path: Path) -> None:
    """Guards are rebuilt from their options there: a loaded model could not be sent along."""
    setting = ClipZeroShot(tmp_path, 0.9)
    assert pickle.loads(pickle.dumps(setting)) == setting
