"""A language model behind the rewriting: what it says is passed on only where it is sound, and checked again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail.actions.base import PlanInput
from guardrail.actions.rewrite import Rewrite
from guardrail.actions.wording import LocalWriter, Task, as_writer
from guardrail.actions.wording.writer import MOST_HUNG_CALLS
from guardrail.decision import Action
from guardrail.errors import ActionError, ConfigurationError
from guardrail.media import Request, Span, TextInput
from guardrail.signals import Stage

PROMPT = "a photo of Jane Exemplar as a pilot"
TASK = Task(PROMPT, "persons", ((11, 24),))


def explode(task: Task) -> str:
    raise ValueError(task.text)


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        (lambda task: "", "empty"),
        (lambda task: " .,! ", "empty"),
        (lambda task: None, "no text but NoneType"),
        (lambda task: task.text, "changed nothing"),
        (lambda task: f" {task.text}\n", "changed nothing"),
        (lambda task: "a person " * 99, "much longer"),
        (explode, "failed: ValueError"),
    ],
)
def test_an_answer_that_is_none_is_an_error_without_content(call: Callable[[Task], Any], cause: str) -> None:
    with pytest.raises(ActionError, match=cause) as caught:
        as_writer(call).write(TASK)
    assert "Jane" not in str(caught.value)


def test_no_answer_in_time_is_an_error_and_later_ones_are_refused_at_once() -> None:
    release = threading.Event()

    def hang(task: Task) -> str:
        release.wait(20)
        return "late"

    writer = as_writer(hang, limit_s=0.05)
    try:
        for _ in range(MOST_HUNG_CALLS):
            with pytest.raises(ActionError, match=r"no answer in 0\.05 s"):
                writer.write(TASK)
        with pytest.raises(ActionError, match="does not answer any more"):
            writer.write(TASK)
    finally:
        release.set()


def test_the_callable_is_told_what_to_drop_and_where() -> None:
    seen: list[Task] = []

    def call(task: Task) -> str:
        seen.append(task)
        return "a photo of a person as a pilot"

    spans = [Span(0, 11, 24, "person", "public", 0.95), Span(0, 2, 7, "sexual", "explicit", 0.9)]
    given = PlanInput(Request((TextInput(PROMPT),)), Stage.PROMPT, spans)
    (change,) = Rewrite(as_writer(call)).plan(given, {"drop": "persons"})
    assert change.text == "a photo of a person as a pilot"
    assert seen == [TASK]
    assert "Jane" not in repr(seen)


@pytest.mark.parametrize("given", [7, None, ["a"]])
def test_what_is_no_writer_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="a rewriter is"):
        as_writer(given)


# ---- in a guard

NAMED = (
    "rules: [{id: n, at: prompt, when: {prompt.persons: {any: {match: '>= 0.8'}}}, then: {rewrite: {drop: persons}}}]"
)


@pytest.mark.parametrize(
    ("says", "action", "cause"),
    [
        ("a photo of a person as a pilot", Action.ALTER, ""),
        (
            "a picture of Jane Exemplar, pilot",
            Action.BLOCK,
            "rewrite: the changed prompt is still refused by the policy",
        ),
        ("", Action.BLOCK, "rewrite: the rewriter gave an empty text"),
    ],
)
def test_what_the_model_says_is_checked_again(make_guard: Any, says: str, action: Action, cause: str) -> None:
    guard = make_guard(NAMED, names=["Jane Exemplar"], rewriter=lambda task: says)
    decision = guard.check_prompt(PROMPT)
    assert decision.action is action
    assert [a.text for a in decision.alterations if a.kind == "rewrite"] == ([says] if action is Action.ALTER else [])
    assert "Jane" not in json.dumps(decision.to_json())
    if cause:
        assert decision.reasons[-1].cause == cause


# ---- a local model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random GPT-2 of two layers with a tokenizer of bytes, saved as a user's folder would be."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(["<end>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder = tmp_path_factory.mktemp("writer")
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    wrapped.save_pretrained(folder)
    torch.manual_seed(5)
    config = transformers.GPT2Config(
        vocab_size=len(vocabulary), n_positions=1024, n_embd=16, n_layer=2, n_head=2, eos_token_id=0, bos_token_id=0
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


def answer(folder: Path, **options: Any) -> str:
    try:
        return LocalWriter(folder, **options).write(TASK)
    except ActionError as error:
        return f"error: {error}"


def test_the_same_prompt_gives_the_same_text(model_folder: Path) -> None:
    import torch

    state = torch.random.get_rng_state()
    first = answer(model_folder)
    assert answer(model_folder) == first
    assert torch.equal(torch.random.get_rng_state(), state)
    # A random model writes no sense: what comes is one line that is not the prompt, or a refusal that says why.
    assert first.startswith("error: the rewriter gave") or (first != PROMPT and "\n" not in first)


def trained(folder: Path, target: Path, say: str) -> Path:
    """The model with its output made constant: always the next byte of `say`, then the end."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForCausalLM.from_pretrained(str(folder))
    ids = tokenizer(say)["input_ids"] + [tokenizer.eos_token_id]
    length = len(tokenizer(_asked())["input_ids"])
    with torch.no_grad():
        # Positions alone decide: the embedding of a place is the direction of the byte that comes next.
        for parameter in model.parameters():
            parameter.zero_()
        head = torch.eye(16)[torch.arange(len(set(ids))) % 16]
        kinds = dict(zip(dict.fromkeys(ids), head, strict=True))
        assert len(kinds) <= 16
        for place, token in enumerate(ids):
            model.transformer.wpe.weight[length - 1 + place] = kinds[token]
        model.transformer.ln_f.weight.fill_(1.0)
        # Untie, so that what is read does not disturb what is written.
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.lm_head.weight))
        for token, row in kinds.items():
            model.lm_head.weight[token] = row
    model.save_pretrained(target, safe_serialization=True)
    tokenizer.save_pretrained(target)
    return target


def _asked() -> str:
    from guardrail.actions.wording.writer import _EXAMPLES, _INSTRUCTIONS

    return f"{_INSTRUCTIONS['persons']}\n\n{_EXAMPLES['persons']}\n\nPrompt: {PROMPT}\nRewritten:"


def test_a_model_that_knows_its_answer_gives_it_without_label_and_quotes(model_folder: Path, tmp_path: Path) -> None:
    assert answer(trained(model_folder, tmp_path, ' "a person"')) == "a person"


def test_an_answer_cut_off_by_the_clock_is_none(model_folder: Path) -> None:
    assert answer(model_folder, limit_s=1e-6) == "error: the rewriter gave no answer in time"


def test_logits_that_are_not_finite_are_an_error(model_folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(str(model_folder))
    with torch.no_grad():
        model.transformer.ln_f.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path, safe_serialization=True)
    AutoTokenizer.from_pretrained(str(model_folder)).save_pretrained(tmp_path)
    assert answer(tmp_path) == "error: the rewriter's logits are not finite"


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused_when_it_is_named(
    model_folder: Path, tmp_path: Path, missing: str, make_guard: Any
) -> None:
    for file in model_folder.iterdir():
        if file.name != missing:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ConfigurationError, match="rewriter"):
        make_guard(NAMED, rewriter=tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no config\.json"):
        LocalWriter(tmp_path / "nowhere")
