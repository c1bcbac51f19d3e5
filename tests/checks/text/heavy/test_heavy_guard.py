"""Heavier checks inside a guard: what the user named is in force, on record, and fails closed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from guardrail.checks.base import Failure, SignalValues
from guardrail.checks.text.heavy import Classifier, EncoderHead, fit_encoder_head
from guardrail.checks.text.heavy.sequence import SequenceScorer
from guardrail.checks.text.heavy.settings import GIVES
from guardrail.cli.app import main
from guardrail.demo.tiny import tiny_stable_diffusion
from guardrail.doctor import examine
from guardrail.errors import ConfigurationError
from guardrail.media import Request
from guardrail.signals import Stage
from guardrail.weights.store import sha256_of
from tests.scripted import ScriptedNudity, install

from . import models
from .test_encoder_head import ROWS

RULES = "rules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n"
# Without the word that is listed: what blocks it is the model alone.
PROMPT = "a red boat at dusk"


class ListedWords(ScriptedNudity):
    """Stands in for the shipped check, whose own scores are no matter here."""

    name = "sexual-text"
    stages = frozenset({Stage.PROMPT})
    gives = GIVES

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        scores = [float(any("nude" in t.text for t in request.texts)) for request in batch]
        return [SignalValues({"prompt.sexual": s, "prompt.sexual_exempted": s}) for s in scores]


@pytest.fixture(autouse=True)
def listed_words(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ListedWords)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("boats") / "boats"
    return models.save(models.telling_bert(word="boat"), models.word_tokenizer(), where)


def test_a_model_joins_the_shipped_check_and_the_stricter_counts(make_guard: Callable[..., Any], folder: Path) -> None:
    guard = make_guard(RULES, prompt_models=[Classifier(folder, ("NSFW",))])
    assert make_guard(RULES).check_prompt(PROMPT).action.value == "allow"
    decision = guard.check_prompt(PROMPT)
    assert decision.action.value == "block"
    assert decision.signals["prompt.sexual"] > 0.9
    ran = {e.name: dict(e.weights) for e in decision.effective}
    assert ran["prompt-model boats"] == {"model.safetensors": sha256_of(folder / "model.safetensors")}
    assert guard.check_prompt("a castle at dusk").action.value == "allow"
    # What the model does not know, the other check does.
    assert guard.check_prompt("a nude woman").action.value == "block"


def test_a_model_that_gives_no_number_blocks(make_guard: Callable[..., Any], tmp_path: Path) -> None:
    model = models.bert()
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    broken = models.save(model, models.word_tokenizer(), tmp_path / "nan")
    decision = make_guard(RULES, prompt_models=[Classifier(broken, ("NSFW",))]).check_prompt("a castle")
    assert decision.action.value == "block"
    assert [r.kind for r in decision.reasons] == ["missing"]
    assert "no number" in json.dumps(decision.to_json())


def test_a_model_that_takes_too_long_blocks(
    make_guard: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = make_guard(RULES, prompt_models=[Classifier(folder, ("NSFW",), timeout_s=0.05)])
    monkeypatch.setattr(SequenceScorer, "score", lambda *_: time.sleep(0.5) or 0.0)
    decision = guard.check_prompt("a castle")
    assert decision.action.value == "block"
    assert "timed out" in json.dumps(decision.to_json())


def test_a_model_that_cannot_start_is_refused_though_another_check_gives_its_signal(
    make_guard: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="is not a folder"):
        make_guard(RULES, prompt_models=[Classifier(tmp_path / "none", ("NSFW",))])


def test_a_policy_that_does_not_ask_loads_nothing(make_guard: Callable[..., Any], tmp_path: Path) -> None:
    rules = "rules: [{id: r, at: prompt, when: {prompt.minor: '>= 0.7'}, then: block}]\n"
    guard = make_guard(rules, prompt_models=[Classifier(tmp_path / "none", ("NSFW",))])
    assert [e.name for e in guard.effective()] == ["minor-words"]


def test_two_models_need_two_names(make_guard: Callable[..., Any], folder: Path) -> None:
    asked = Classifier(folder, ("NSFW",))
    with pytest.raises(ConfigurationError, match="two checks are called prompt-model boats"):
        make_guard(RULES, prompt_models=[asked, asked])
    guard = make_guard(RULES, prompt_models=[asked, Classifier(folder, ("SFW",), name="other")])
    assert {e.name for e in guard.effective()} >= {"prompt-model boats", "other"}


@pytest.mark.parametrize("given", [["boats"], [object()]])
def test_what_is_no_model_is_refused(make_guard: Callable[..., Any], given: Any) -> None:
    with pytest.raises(ConfigurationError, match="prompt_models are"):
        make_guard(RULES, prompt_models=given)


def test_the_environment_names_a_file(
    make_guard: Callable[..., Any],
    policy_file: Callable[..., Path],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = tmp_path / "models.json"
    listed.write_text(json.dumps([{"kind": "classifier", "model": str(folder), "unsafe": "NSFW"}]))
    monkeypatch.setenv("GUARDRAIL_PROMPT_MODELS", str(listed))
    assert make_guard(RULES).check_prompt(PROMPT).action.value == "block"
    # An empty list given in code is a decision against it.
    assert make_guard(RULES, prompt_models=()).check_prompt(PROMPT).action.value == "allow"

    with pytest.raises(SystemExit) as end:
        main(["check", "--prompt", PROMPT, "--policy", str(policy_file(RULES)), "--no-record", "--json"])
    assert end.value.code == 11
    assert "prompt-model boats" in capsys.readouterr().out

    (row,) = [c for c in examine(measure=False).checks if c["name"] == "prompt-model boats"]
    assert row["state"] == "ready"
    assert row["weights"] == {"model.safetensors": sha256_of(folder / "model.safetensors")}

    listed.write_text(json.dumps([{"kind": "classifier", "model": "gone", "unsafe": "NSFW"}]))
    with pytest.raises(ConfigurationError, match="gone"):
        make_guard(RULES)
    assert any("gone" in fault for fault in examine(measure=False).faults)


def test_a_reload_keeps_the_model_and_refuses_another_file(
    make_guard: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    guard = make_guard(RULES, prompt_models=[Classifier(own, ("NSFW",))])
    before = guard.effective()
    guard.reload()
    assert guard.effective() == before
    (own / "model.safetensors").unlink()
    with pytest.raises(ConfigurationError, match=r"no \.safetensors file"):
        guard.reload()
    assert guard.check_prompt(PROMPT).action.value == "block"


def test_a_pipeline_is_guarded_by_its_own_encoder(policy_file: Callable[..., Path]) -> None:
    import guardrail

    pipe = tiny_stable_diffusion()
    pipe.set_progress_bar_config(disable=True)
    fit_encoder_head(pipe, ROWS)
    guarded = guardrail.wrap(
        pipe, policy_file(RULES.replace("0.7", "0.4")), audit=None, gallery=None, prompt_models=[EncoderHead(pipe)]
    )
    prompts = ["a castle at dusk", "zzz castle xxx at dusk zzxx"]
    out = guarded(prompts, num_inference_steps=1, height=64, width=64)
    assert [d.action.value for d in out.guardrail] == ["allow", "block"]
    guarded.guard.close()


def test_the_command_fits_a_head(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tiny_stable_diffusion()
    pipe.text_encoder.save_pretrained(tmp_path / "p" / "text_encoder")
    pipe.tokenizer.save_pretrained(tmp_path / "p" / "tokenizer")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": r.text, "label": r.sexual}) + "\n" for r in ROWS))
    with pytest.raises(SystemExit) as end:
        main(["models", "fit-encoder-head", str(tmp_path / "p"), "--rows", str(rows), "--json"])
    assert end.value.code == 0
    done = json.loads(capsys.readouterr().out)
    assert done["sexual"] == done["benign"] == 90
    assert Path(done["path"]).is_file()
