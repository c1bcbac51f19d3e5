"""A head on a pipeline's own text encoder: fitted, kept for that encoder only, and never used when anything differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.text.heavy import EncoderHead, Row, fit_encoder_head
from guardrail.checks.text.heavy.encoder import Encoder
from guardrail.checks.text.heavy.fit import FittedHead
from guardrail.checks.text.heavy.head import Head, path_of
from guardrail.demo.tiny import byte_clip_tokenizer, tiny_clip_text
from guardrail.errors import ConfigurationError, WeightsMismatch, WeightsMissing
from guardrail.signals import Stage
from guardrail.weights.store import sha256_of
from tests.pipelines.tiny import BUILDERS

from .conftest import request_of

PLACES = ("castle", "boat", "house", "red barn", "harbour", "bridge", "meadow", "tower", "mill", "orchard")
TIMES = ("at dusk", "in rain", "at noon", "in fog", "by night", "in snow")
BENIGN = [Row(f"a {p} {t}", False) for p in PLACES for t in TIMES]
BENIGN += [Row(f"a {p} {t}, " * 4, False) for p in PLACES for t in TIMES[:3]]
SEXUAL = [Row(f"zzz {p} xxx {t} zzxx", True) for p in PLACES for t in TIMES]
SEXUAL += [Row(f"zzz {p} xxx {t} zzxx " * 3, True) for p in PLACES for t in TIMES[:3]]
ROWS = BENIGN + SEXUAL
LONG = "a castle at dusk by the harbour, " * 8


def pipe_of(seed: int = 5, *, projection: bool = False) -> Any:
    torch.manual_seed(seed)
    return SimpleNamespace(text_encoder=tiny_clip_text(projection=projection), tokenizer=byte_clip_tokenizer())


@pytest.fixture
def pipe() -> Any:
    return pipe_of()


@pytest.fixture
def fitted(pipe: Any) -> FittedHead:
    """A head for `pipe`, in this test's data folder; fitted once for all of them."""
    if not _ONCE:
        done = fit_encoder_head(pipe, ROWS)
        _ONCE.append((done, done.path.read_bytes()))
    done, content = _ONCE[0]
    path = path_of(done.encoder_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return replace(done, path=path)


_ONCE: list[tuple[FittedHead, bytes]] = []


def scores(check: Any, *texts: str) -> list[float]:
    answers = check.check([request_of(t) for t in texts], Stage.PROMPT)
    assert all(isinstance(a, SignalValues) for a in answers), answers
    return [a.signals["prompt.sexual"] for a in answers]


def test_a_head_learns_what_its_rows_tell(pipe: Any, fitted: FittedHead) -> None:
    assert (fitted.sexual, fitted.benign) == (90, 90)
    assert fitted.auroc > 0.95
    assert fitted.over_blocked == 0.0  # of 90 rows none may be over 0.5 %
    check = EncoderHead(pipe).open(CheckSettings())
    unseen = scores(check, "a windmill at dusk", "zzz windmill xxx at dawn zzxx", LONG, LONG + " zzz xxx zzxx zzz xxx")
    assert [s >= 0.4 for s in unseen] == [False, True, False, True]


def test_it_lies_in_the_data_folder_under_the_hash_of_its_encoder(
    pipe: Any, fitted: FittedHead, own_home: Path
) -> None:
    assert fitted.path == own_home / "encoder-heads" / f"{Encoder.of(pipe, 'text_encoder').sha256[:32]}.safetensors"
    effective = EncoderHead(pipe).open(CheckSettings()).effective()
    assert effective.name == "prompt-model encoder-head CLIPTextModel"
    assert effective.weights == {"head": sha256_of(fitted.path), "CLIPTextModel": fitted.encoder_sha256}


def test_fitting_again_gives_the_same_head(pipe: Any, fitted: FittedHead) -> None:
    again = fit_encoder_head(pipe, reversed(ROWS))
    assert (again.sha256, again.auroc) == (fitted.sha256, fitted.auroc)


def test_the_same_alone_and_in_a_batch(pipe: Any, fitted: FittedHead) -> None:
    check = EncoderHead(pipe).open(CheckSettings())
    texts = ["a castle", "zzz house xxx", LONG, "red"]
    assert scores(check, *texts) == pytest.approx([scores(check, t)[0] for t in texts], abs=1e-5)


def test_the_state_is_the_one_that_the_pipeline_conditions_on(pipe: Any) -> None:
    for projection, name in ((False, "pooler_output"), (True, "text_embeds")):
        own = pipe_of(projection=projection)
        # As pipelines do it: padded to 77 tokens.
        ids = own.tokenizer("a castle", padding="max_length", max_length=77, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = getattr(own.text_encoder(ids), name)[0].numpy()
        (state,) = Encoder.of(own, "text_encoder").states("a castle")
        np.testing.assert_allclose(state, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "encoder", "kind"),
    [
        pytest.param("flux", "text_encoder_2", "T5EncoderModel", marks=pytest.mark.nightly),
        ("sdxl", "text_encoder_2", "CLIPTextModelWithProjection"),
        pytest.param("z_image", "text_encoder", "Qwen3Model", marks=pytest.mark.nightly),
        pytest.param("qwen_image", "text_encoder", "Qwen2_5_VLForConditionalGeneration", marks=pytest.mark.nightly),
    ],
)
def test_encoders_of_other_families(family: str, encoder: str, kind: str) -> None:
    pipe = BUILDERS[family]()
    fitted = fit_encoder_head(pipe, ROWS, encoder=encoder)
    assert fitted.encoder == kind
    first, second = scores(EncoderHead(pipe, encoder).open(CheckSettings()), "a castle", "zzz house xxx at dusk zzxx")
    assert 0.0 <= first < second <= 1.0


def test_from_the_folder_of_a_pipeline(pipe: Any, fitted: FittedHead, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    pipe.text_encoder.save_pretrained(folder / "text_encoder")
    pipe.tokenizer.save_pretrained(folder / "tokenizer")
    from_folder, from_pipe = (EncoderHead(s).open(CheckSettings()) for s in (str(folder), pipe))
    assert scores(from_folder, "zzz boat xxx", "a boat") == scores(from_pipe, "zzz boat xxx", "a boat")


def test_another_encoder_has_no_head(fitted: FittedHead) -> None:
    with pytest.raises(WeightsMissing, match="fit-encoder-head"):
        EncoderHead(pipe_of(seed=6)).open(CheckSettings())


def of_another_encoder(path: Path) -> None:
    other = fit_encoder_head(pipe_of(seed=6), ROWS)
    path.write_bytes(other.path.read_bytes())


def of_another_vocabulary(path: Path) -> None:
    content = path.read_bytes()
    encoder = Encoder.of(pipe_of(), "text_encoder")
    assert encoder.tokenizer_sha256.encode() in content
    path.write_bytes(content.replace(encoder.tokenizer_sha256.encode(), b"0" * 64))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = path.read_bytes()
        tensors = load(content)
        change(tensors)
        import json

        about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        path.write_bytes(save(tensors, about))

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        of_another_encoder,
        of_another_vocabulary,
        cut_short,
        rewritten(lambda t: t["weight"].fill(np.nan)),
        rewritten(lambda t: t["scale"].fill(0)),
        rewritten(lambda t: t.pop("bias")),
        rewritten(lambda t: t["scores"].fill(0.1)),
        rewritten(lambda t: t["scores"].__setitem__(-1, 7.0)),
    ],
)
def test_a_head_that_is_not_what_it_should_be_is_refused(
    pipe: Any, fitted: FittedHead, spoil: Callable[[Path], None]
) -> None:
    spoil(fitted.path)
    with pytest.raises(WeightsMismatch, match="fit it again"):
        EncoderHead(pipe).open(CheckSettings())


def in_place(pipe: Any) -> None:
    with torch.no_grad():
        next(pipe.text_encoder.parameters()).mul_(1.01)


def replaced(pipe: Any) -> None:
    first = next(pipe.text_encoder.parameters())
    first.data = first.data * 1.01


def to_half(pipe: Any) -> None:
    pipe.text_encoder.half()


@pytest.mark.parametrize("change", [in_place, replaced, to_half])
def test_an_encoder_that_changes_afterwards_gives_no_score(
    pipe: Any, fitted: FittedHead, change: Callable[[Any], None]
) -> None:
    check = EncoderHead(pipe).open(CheckSettings())
    scores(check, "a castle")
    change(pipe)
    (answer,) = check.check([request_of("a castle")], Stage.PROMPT)
    assert answer == Failure("the text encoder is no longer the one that its head was fitted for")


def test_an_encoder_that_is_moved_stays_the_same(pipe: Any, fitted: FittedHead) -> None:
    check = EncoderHead(pipe).open(CheckSettings())
    before = scores(check, "a castle")
    for p in pipe.text_encoder.parameters():
        p.data = p.data.clone()
    assert scores(check, "a castle") == before


def test_an_encoder_in_training_gives_no_score(pipe: Any, fitted: FittedHead) -> None:
    check = EncoderHead(pipe).open(CheckSettings())
    pipe.text_encoder.train()
    (answer,) = check.check([request_of("a castle")], Stage.PROMPT)
    assert answer == Failure("the text encoder is being trained")


def test_an_encoder_that_gives_no_numbers(pipe: Any) -> None:
    with torch.no_grad():
        pipe.text_encoder.get_parameter(next(n for n, _ in pipe.text_encoder.named_parameters())).fill_(float("nan"))
    reader = Encoder.of(pipe, "text_encoder")
    width = 16
    ones = np.ones(width, np.float32)
    Head(0 * ones, ones, ones, 0.0, (-1.0, 1.0), (0.0, 1.0)).write(path_of(reader.sha256), reader)
    check = EncoderHead(pipe).open(CheckSettings())
    (answer,) = check.check([request_of("a castle")], Stage.PROMPT)
    assert answer == Failure("the text encoder gave a value that is no number")


def test_the_tokenizer_of_the_pipeline_is_left_alone(pipe: Any, fitted: FittedHead) -> None:
    before = pipe.tokenizer.backend_tokenizer.to_str()
    scores(EncoderHead(pipe).open(CheckSettings()), LONG)
    assert pipe.tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (BENIGN, "20 rows or more of each kind; too few are sexual"),
        (BENIGN[:10] + SEXUAL, "too few are benign"),
        (BENIGN + [Row(r.text, True, "one") for r in SEXUAL], "one group"),
    ],
)
def test_rows_that_no_head_can_be_fitted_from(pipe: Any, rows: list[Row], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        fit_encoder_head(pipe, rows)


@pytest.mark.parametrize(
    ("source", "encoder", "says"),
    [
        (SimpleNamespace(), "text_encoder", "has no text_encoder with a tokenizer"),
        (SimpleNamespace(), "unet", "encoder is one of"),
        ("/nowhere/at/all", "text_encoder", "is not a folder"),
    ],
)
def test_where_no_encoder_is(source: Any, encoder: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        EncoderHead(source, encoder).open(CheckSettings())


def test_weights_that_are_not_in_memory_are_refused(pipe: Any) -> None:
    pipe.text_encoder.to("meta")
    with pytest.raises(ConfigurationError, match="name its folder instead"):
        EncoderHead(pipe).open(CheckSettings())
