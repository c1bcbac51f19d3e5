"""What a guard is asked: its own chat template, or the family's question; the text cannot speak for the frame."""

from __future__ import annotations

from typing import Any

from guardrail.checks.text.heavy.families import Family
from guardrail.errors import CheckError, ConfigurationError

__all__ = ["Question"]

_PROBE = "a lighthouse at dusk"
# Words that frame the text in the families' questions without being special tokens.
_FRAMES = ("<BEGIN ", "<END ", "<start_of_turn>", "<end_of_turn>", "<|")


class Question:
    """Asks one family's question about a text.

    Raises:
        ConfigurationError: the tokenizer's template leaves the text out.
    """

    def __init__(self, family: Family, tokenizer: Any) -> None:
        self._family = family
        self._tokenizer = tokenizer
        special = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
        marks = (mark for mark in {*special, *_FRAMES} if mark.strip())
        self._marks = {mark: _broken(mark) for mark in sorted(marks, key=lambda m: (-len(m), m))}
        self._listed = False
        self._templated = self._has_template()

    def asked(self, text: str) -> str:
        """The whole question, with its special tokens written out, up to where the answer begins.

        Raises:
            CheckError: the template does not hold the text.
        """
        safe = self.defused(text)
        if self._templated:
            asked = self._rendered(safe)
            if safe not in asked:
                raise CheckError("the chat template of the prompt guard left the text out")
        else:
            bos = getattr(self._tokenizer, "bos_token", None) or ""
            asked = self._family.question.replace("{bos}", bos).replace("{text}", safe)
        return asked if asked.endswith(self._family.lead) else asked + self._family.lead

    def defused(self, text: str) -> str:
        """`text` with whatever could end its frame broken up: it would be read as part of the question otherwise."""
        for mark, broken in self._marks.items():
            while mark in text:
                text = text.replace(mark, broken)
        return text.strip()

    def _has_template(self) -> bool:
        """Whether the tokenizer has a chat template, and one of a guard of this family."""
        if not getattr(self._tokenizer, "chat_template", None):
            return False
        problems: list[str] = []
        for listed in (False, True):
            self._listed = listed
            try:
                asked = self._rendered(_PROBE)
            except Exception as error:  # noqa: BLE001 - templates raise what they like; the other form is tried
                problems.append(type(error).__name__)
                continue
            if _PROBE in asked:
                # A chat model's template knows nothing of safety: the family's own question is asked then.
                return self._family.sign in asked
            problems.append("leaves the text out")
        raise ConfigurationError(f"the prompt guard's chat template cannot be used: {'; '.join(problems)}")

    def _rendered(self, text: str) -> str:
        # Templates of models that see pictures want content as a list of parts.
        content: Any = [{"type": "text", "text": text}] if self._listed else text
        return str(
            self._tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, **self._family.variables
            )
        )


def _broken(mark: str) -> str:
    """A mark with a space behind its first character; a space alone where that would still hold the mark."""
    broken = f"{mark[0]} {mark[1:]}"
    return " " if mark in broken else broken
