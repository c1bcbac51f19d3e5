"""An optional language model that rewrites a prompt: a callable of the user's own, or a local folder of transformers.

Nothing is downloaded and no code of a model folder is run. Decoding is greedy, so that the same prompt gives the same
text. Whatever is wrong (no answer in time, an empty or endless one, an exception, not-a-number logits) is an error, and
the request is blocked: what a model says is never trusted further than the checks, which read it again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from guardrail.errors import ActionError, ConfigurationError

__all__ = ["LocalWriter", "Task", "Writer", "as_writer"]

LIMIT_S = 20.0
MOST_HUNG_CALLS = 4
# A rewrite takes out: it has no reason to grow much.
MOST_GROWTH, SPARE_CHARACTERS = 1.5, 80


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be rewritten.

    Args:
        text: the prompt. Never printed, logged or stored.
        drop: ``persons`` or ``sexual``.
        places: what the checks found, as half-open ranges of characters of `text`.
    """

    text: str = field(repr=False)
    drop: Literal["persons", "sexual"]
    places: tuple[tuple[int, int], ...] = ()


@runtime_checkable
class Writer(Protocol):
    def write(self, task: Task) -> str:
        """The new text.

        Raises:
            ActionError: there is none; the request is blocked.
        """
        ...


def as_writer(given: Callable[[Task], str] | str | Path | Writer, *, limit_s: float = LIMIT_S) -> Writer:
    """A writer from a callable, from the folder of a model, or as it is.

    Raises:
        ConfigurationError: it is none of these, or the folder has no model that can be loaded.
    """
    if isinstance(given, str | Path):
        return LocalWriter(given, limit_s=limit_s)
    if isinstance(given, Writer):
        return given
    if callable(given):
        return _Called(given, limit_s)
    raise ConfigurationError(f"a rewriter is a callable, a folder or a Writer, not {type(given).__name__}")


class _Called:
    """A callable with a time limit, its answer looked at before it is passed on."""

    def __init__(self, call: Callable[[Task], str], limit_s: float) -> None:
        self._call = call
        self._limit_s = limit_s
        self._hung = 0
        self._lock = threading.Lock()

    def write(self, task: Task) -> str:
        with self._lock:
            if self._hung >= MOST_HUNG_CALLS:
                raise ActionError("the rewriter does not answer any more")
            self._hung += 1
        answers: list[Any] = []
        # A call that does not come back keeps its thread: it cannot be stopped, only left behind and counted.
        thread = threading.Thread(target=self._answer, args=(task, answers), daemon=True, name="guardrail-rewriter")
        thread.start()
        thread.join(self._limit_s)
        if not answers:
            raise ActionError(f"the rewriter gave no answer in {self._limit_s:g} s")
        (answer,) = answers
        if isinstance(answer, ActionError):  # its text holds no content: that is its contract
            raise answer
        if isinstance(answer, BaseException):
            # The type only: a message may quote the prompt.
            raise ActionError(f"the rewriter failed: {type(answer).__name__}") from None
        return _sound(answer, task.text)

    def _answer(self, task: Task, answers: list[Any]) -> None:
        try:
            answer: Any = self._call(task)
        except BaseException as error:  # noqa: BLE001 - it is told to the caller, which blocks
            answer = error
        with self._lock:
            self._hung -= 1
        answers.append(answer)


def _sound(answer: Any, before: str) -> str:
    """`answer` as one text of a sensible length.

    Raises:
        ActionError: it is none.
    """
    if not isinstance(answer, str):
        raise ActionError(f"the rewriter gave no text but {type(answer).__name__}")
    text = answer.strip()
    if not any(c.isalnum() for c in text):
        raise ActionError("the rewriter gave an empty text")
    if len(text) > MOST_GROWTH * len(before) + SPARE_CHARACTERS:
        raise ActionError("the rewriter gave a text much longer than the prompt")
    if text == before.strip():
        raise ActionError("the rewriter changed nothing")
    return text


_INSTRUCTIONS = {
    "persons": "Rewrite the image prompt so that nobody is named: say 'a person' in the language of the prompt instead "
    "of each name or private relation. Keep everything else as it is.",
    "sexual": "Rewrite the image prompt without nudity and without anything sexual. Keep everything else as it is: "
    "numbers, colours, style, place.",
}
_EXAMPLES = {
    "persons": "Prompt: a photo of Jane Exemplar as a pilot\nRewritten: a photo of a person as a pilot",
    "sexual": "Prompt: a naked woman on a beach, 8k\nRewritten: a woman on a beach, 8k",
}


class LocalWriter:
    """A causal language model from a local folder of transformers files with safetensors weights.

    Args:
        folder: ``config.json``, the tokenizer's files, ``model.safetensors`` (or its shards).
        limit_s: for one rewrite, seconds.
        most_tokens: of an answer, at most; also bounded by the length of the prompt.

    Raises:
        ConfigurationError: the folder lacks a file, has weights as pickles only, or does not load.
    """

    def __init__(self, folder: str | Path, *, limit_s: float = LIMIT_S, most_tokens: int = 256) -> None:
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise ConfigurationError(f"the rewriter's folder {path} has no config.json")
        if not any(path.glob("*.safetensors")):
            raise ConfigurationError(f"the rewriter's folder {path} has no .safetensors file; pickles are not loaded")
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError:
            raise ConfigurationError(
                'a rewriter needs transformers: pip install "guardrail-diffusion[diffusers]"'
            ) from None
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(path), **local)
            self._model: Any = AutoModelForCausalLM.from_pretrained(str(path), use_safetensors=True, **local)
        except Exception as error:
            raise ConfigurationError(f"the rewriter's folder {path} does not load: {type(error).__name__}") from error
        self._model.eval()
        self._limit_s = limit_s
        self._most_tokens = most_tokens
        # A little over the model's own limit: that one stops between two tokens, this one leaves a hung thread behind.
        self._called = _Called(self._generate, limit_s * 1.5 + 1.0)

    def write(self, task: Task) -> str:
        """The model's answer. See `Writer.write`."""
        return self._called.write(task)

    def _generate(self, task: Task) -> str:
        import torch
        from transformers import GenerationConfig

        # A chat template writes the special tokens itself.
        chat = bool(getattr(self._tokenizer, "chat_template", None))
        given = self._tokenizer(self._asked(task, chat), return_tensors="pt", add_special_tokens=not chat)
        length = int(given["input_ids"].shape[1])
        room = int(getattr(self._model.config, "max_position_embeddings", 1 << 30)) - length
        budget = min(self._most_tokens, room, len(self._tokenizer(task.text)["input_ids"]) + 32)
        if budget < 1:
            raise ActionError("the prompt is too long for the rewriter")
        end = self._tokenizer.eos_token_id
        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=budget,
            max_time=self._limit_s,
            eos_token_id=end,
            pad_token_id=self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else end or 0,
            return_dict_in_generate=True,
            output_logits=True,
        )
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=given["input_ids"], attention_mask=given["attention_mask"], generation_config=config
            )
        if not all(bool(torch.isfinite(step).all()) for step in out.logits):
            raise ActionError("the rewriter's logits are not finite")
        new = out.sequences[0, length:]
        if len(new) < budget and (end is None or int(new[-1]) != end):
            raise ActionError("the rewriter gave no answer in time")
        return _answer(self._tokenizer.decode(new, skip_special_tokens=True))

    def _asked(self, task: Task, chat: bool) -> str:
        instruction = _INSTRUCTIONS[task.drop]
        if chat:
            messages = [
                {"role": "user", "content": f"{instruction}\n{_EXAMPLES[task.drop]}\nPrompt: {task.text}\nRewritten:"}
            ]
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        return f"{instruction}\n\n{_EXAMPLES[task.drop]}\n\nPrompt: {task.text}\nRewritten:"


def _answer(said: str) -> str:
    """The first line of an answer, without the label and the quotes that models like to put around it."""
    line = next((row.strip() for row in said.splitlines() if row.strip()), "")
    line = re.sub(r"^(?:Rewritten|Prompt)\s*:\s*", "", line, flags=re.IGNORECASE)
    return re.sub(r'^(["“«])(.*)["”»]$', r"\2", line)
