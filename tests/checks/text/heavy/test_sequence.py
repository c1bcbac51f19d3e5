"""Sequence classifiers from a folder: what they score, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.text.heavy import Classifier
from guardrail.checks.text.heavy.sequence import SequenceScorer
from guardrail.errors import ConfigurationError
from guardrail.signals import Stage
from guardrail.weights.store import sha256_of

from . import models
from .conftest import request_of

LONG = "a castle at dusk oil on canvas " * 12


def scores(check: Any, *requests: Any) -> list[float]:
    answers = check.check(list(requests), Stage.PROMPT)
    assert all(isinstance(a, SignalValues) for a in answers), answers
    return [a.signals["prompt.sexual"] for a in answers]


@pytest.fixture(scope="module")
def check(classifier_folder: Path) -> Any:
    return Classifier(classifier_folder, ("NSFW",)).open(CheckSettings())


@pytest.mark.parametrize(
    ("text", "sexual"),
    [
        ("a castle at dusk", False),
        ("a nude woman", True),
        (LONG, False),
        ("nude " + LONG, True),
        (LONG + "nude", True),
        (LONG + "nude " + LONG, True),
        ("", False),
        ("\ud800 nude", True),  # half a surrogate pair, which no tokenizer reads
        ("n\u200bude woman", True),  # a zero-width space inside the word: the plain reading
    ],
)
def test_the_word_is_found_wherever_it_stands(check: Any, text: str, sexual: bool) -> None:
    (score,) = scores(check, request_of(text))
    assert (score > 0.9) is sexual
    assert (score < 0.1) is not sexual


def test_the_same_alone_and_in_a_batch(check: Any) -> None:
    texts = ["a nude woman", "a castle", LONG + "nude", "red boat on canvas", LONG]
    together = scores(check, *map(request_of, texts))
    alone = [scores(check, request_of(t))[0] for t in texts]
    assert together == pytest.approx(alone, abs=1e-5)
    assert together == scores(check, *map(request_of, texts))


def test_random_weights_give_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    folder = models.save(models.bert(), models.word_tokenizer(), tmp_path / "random")
    check = Classifier(folder, ("NSFW",)).open(CheckSettings())
    texts = ["a nude woman", "castle", LONG]
    alone = [scores(check, request_of(t))[0] for t in texts]
    assert scores(check, *map(request_of, texts)) == pytest.approx(alone, abs=1e-5)
    assert len(set(alone)) == 3


def test_the_worst_of_several_prompts_counts_and_what_is_to_be_avoided_does_not(check: Any) -> None:
    assert scores(check, request_of("a castle", "a nude woman"))[0] > 0.9
    assert scores(check, request_of("a castle", negative="nude"))[0] < 0.1


def test_an_exemption_lowers_only_its_own_signal(classifier_folder: Path) -> None:
    check = Classifier(classifier_folder, ("NSFW",)).open(CheckSettings(exempt=("nude house",)))
    (answer,) = check.check([request_of("a nude house at dusk")], Stage.PROMPT)
    assert isinstance(answer, SignalValues)
    assert answer.signals["prompt.sexual"] > 0.9  # type: ignore[operator]
    assert answer.signals["prompt.sexual_exempted"] < 0.1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("problem", "unsafe", "expected"),
    [
        # Exclusive labels: their probabilities are added. Others: the highest.
        (None, ("B", "C"), lambda z: z.softmax(-1)[1:].sum()),
        (None, ("C",), lambda z: z.softmax(-1)[2]),
        ("multi_label_classification", ("B", "C"), lambda z: z.sigmoid()[1:].max()),
    ],
)
def test_labels_become_a_probability(
    tmp_path: Path, problem: str | None, unsafe: tuple[str, ...], expected: Callable[[Any], Any]
) -> None:
    model = models.bert(("A", "B", "C"), problem_type=problem)
    folder = models.save(model, models.word_tokenizer(), tmp_path / "m")
    scorer = SequenceScorer.load(Classifier(folder, unsafe))
    ids = torch.tensor([models.word_tokenizer()("a castle")["input_ids"]])
    with torch.no_grad():
        assert scorer.score("a castle") == pytest.approx(float(expected(model(ids).logits[0])), abs=1e-6)


def test_calibration_puts_the_thresholds_where_the_user_says(tmp_path: Path) -> None:
    folder = models.save(models.bert(), models.word_tokenizer(), tmp_path / "m")
    raw = SequenceScorer.load(Classifier(folder, ("NSFW",))).score("a castle")
    for settings, score in [
        ({"suggestive": raw, "explicit": 0.99}, 0.40),
        ({"suggestive": 0.01, "explicit": raw}, 0.70),
        ({}, raw),
    ]:
        check = Classifier(folder, ("NSFW",), **settings).open(CheckSettings())
        assert scores(check, request_of("a castle"))[0] == pytest.approx(score, abs=1e-6)


def test_what_it_runs_on_is_on_record(check: Any, classifier_folder: Path) -> None:
    effective = check.effective()
    assert effective.name == "prompt-model nsfw-tiny"
    assert effective.weights == {"model.safetensors": sha256_of(classifier_folder / "model.safetensors")}


def test_it_is_loaded_once(classifier_folder: Path) -> None:
    asked = Classifier(classifier_folder, ("NSFW",))
    first = SequenceScorer.load(asked)
    assert SequenceScorer.load(asked) is first
    assert SequenceScorer.load(replace(asked, unsafe=("SFW",))) is not first


def test_loading_draws_no_random_number(classifier_folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(classifier_folder, tmp_path / "copy")
    before = torch.random.get_rng_state()
    SequenceScorer.load(Classifier(other, ("NSFW",)))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("where", ["classifier.bias", "bert.embeddings.word_embeddings.weight"])
def test_weights_that_are_no_numbers_give_no_score(tmp_path: Path, where: str) -> None:
    model = models.bert()
    with torch.no_grad():
        model.get_parameter(where).fill_(float("nan"))
    folder = models.save(model, models.word_tokenizer(), tmp_path / "nan")
    check = Classifier(folder, ("NSFW",)).open(CheckSettings())
    (answer,) = check.check([request_of("a castle")], Stage.PROMPT)
    assert answer == Failure("the prompt classifier gave a value that is no number")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def only_a_pickle(folder: Path) -> None:
    torch.save(models.bert().state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def no_head(folder: Path) -> None:
    models.bert().bert.save_pretrained(folder)


def no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def an_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/name"}')


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (nothing, "is not a folder"),
        (no_config, "has no config.json"),
        (only_a_pickle, "pickles .* are never loaded"),
        (no_head, r"has no weights for classifier\.bias, classifier\.weight"),
        (no_tokenizer, "has no tokenizer"),
        (an_adapter, "merge it"),
        (cut_short, "does not load"),
    ],
)
def test_a_folder_that_is_no_sound_model_is_refused(
    tmp_path: Path, classifier_folder: Path, spoil: Callable[[Path], None], says: str
) -> None:
    folder = shutil.copytree(classifier_folder, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ConfigurationError, match=says):
        Classifier(folder, ("NSFW",)).open(CheckSettings())


def test_code_in_a_model_folder_is_not_run(tmp_path: Path, classifier_folder: Path) -> None:
    folder = shutil.copytree(classifier_folder, tmp_path / "code")
    config = (folder / "config.json").read_text()
    auto = '"auto_map": {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"}, "model_type": "own"'
    (folder / "config.json").write_text(config.replace('"model_type": "bert"', auto))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: ...\n")
    with pytest.raises(ConfigurationError):
        Classifier(folder, ("NSFW",)).open(CheckSettings())
    assert not (tmp_path / "ran").exists()


def test_an_id_that_the_cache_does_not_have_is_refused_without_asking_the_hub() -> None:
    with pytest.raises(ConfigurationError, match="guardrail downloads no model"):
        Classifier("some-org/some-guard", ("NSFW",)).open(CheckSettings())


def test_an_id_that_the_cache_has_is_found(
    tmp_path: Path, classifier_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    repository = tmp_path / "hub" / "models--some-org--nsfw"
    shutil.copytree(classifier_folder, repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    check = Classifier("some-org/nsfw", ("NSFW",)).open(CheckSettings())
    assert check.name == "prompt-model some-org/nsfw"
    assert scores(check, request_of("a nude woman"))[0] > 0.9


@pytest.mark.parametrize(
    ("unsafe", "says"),
    [
        ((), "say which labels are unsafe; it has SFW, NSFW"),
        (("nsfw",), "has no label nsfw; it has SFW, NSFW"),
        (("SFW", "NSFW"), "every label"),
    ],
)
def test_labels_must_be_named_as_the_model_has_them(
    classifier_folder: Path, unsafe: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Classifier(classifier_folder, unsafe).open(CheckSettings())


def test_a_regression_is_no_classifier(tmp_path: Path) -> None:
    folder = models.save(models.bert(problem_type="regression"), models.word_tokenizer(), tmp_path / "r")
    with pytest.raises(ConfigurationError, match="regression"):
        Classifier(folder, ("NSFW",)).open(CheckSettings())


def test_a_device_that_is_not_there_is_refused(classifier_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot run on 'meta-none'"):
        Classifier(classifier_folder, ("NSFW",), device="meta-none").open(CheckSettings())
