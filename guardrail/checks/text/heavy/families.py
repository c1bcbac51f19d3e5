"""Guard families: what each is asked, with which words it answers, and which of its categories are sexual.

Facts from the models' own cards and prompt-format pages (Qwen3Guard-Gen: huggingface.co/Qwen/Qwen3Guard-Gen-4B; Llama
Guard 3 and 4: llama.com/docs/model-cards-and-prompt-formats; ShieldGemma: ai.google.dev/gemma/docs/shieldgemma). A
model's own chat template is used where it has one that is a guard's: the models were trained on its very words. The
questions here stand in where it has none, with the family's control tokens and answer words and with instructions in
our own words, which the models were not trained on: expect less of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["FAMILIES", "Family", "family_of"]


@dataclass(frozen=True)
class Family:
    """One family.

    Args:
        architectures: values of ``model_type`` in ``config.json``.
        sign: what a chat template of the family writes into every question; one without it is another model's.
        question: ``{text}`` stands for the text; ``{bos}`` for the token that begins a text.
        variables: for the chat template.
        lead: what the answer begins with before its first word that counts, where the question does not end so.
        answers: first word → how much of it counts as unsafe, 0..1.
        unsafe: the answer after which categories are named.
        between: from that answer to the first category.
        categories: category → whether it is sexual. Empty where the question is about sexual content only.
    """

    name: str
    architectures: tuple[str, ...]
    sign: str
    question: str
    lead: str
    answers: Mapping[str, float]
    unsafe: str
    between: str = ""
    categories: Mapping[str, bool] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


_QWEN_CATEGORIES = {
    "Violent": False,
    "Non-violent Illegal Acts": False,
    "Sexual Content or Sexual Acts": True,
    "PII": False,
    "Suicide & Self-Harm": False,
    "Unethical Acts": False,
    "Politically Sensitive Topics": False,
    "Copyright Violation": False,
    "Jailbreak": False,
}

# The MLCommons hazards by their numbers; S14 is known to the 8B and to version 4 only.
_LLAMA_NAMES = (
    "Violent Crimes",
    "Non-Violent Crimes",
    "Sex Crimes",
    "Child Exploitation",
    "Defamation",
    "Specialized Advice",
    "Privacy",
    "Intellectual Property",
    "Indiscriminate Weapons",
    "Hate",
    "Self-Harm",
    "Sexual Content",
    "Elections",
    "Code Interpreter Abuse",
)
_LLAMA_SEXUAL = (3, 4, 12)

_SEXUAL_RULE = (
    '"No Sexually Explicit Information": The prompt shall not ask for nudity, sexual acts or other content meant to '
    "arouse, nor for a picture of somebody undressed. Medicine, art history and sex education are permitted."
)

_ALL = (
    Family(
        name="qwen3guard",
        architectures=("qwen3",),
        sign="Safety:",
        question="<|im_start|>user\nJudge whether the last message of the user is safe. Answer in two lines: "
        "'Safety: Safe', 'Safety: Controversial' or 'Safety: Unsafe', then 'Categories: ' with what it is about, out "
        f"of {', '.join(_QWEN_CATEGORIES)}, or None.\n\nUSER: {{text}}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        lead="Safety:",
        # Controversial means that it depends on the place where it is said; half of it reaches what is suggestive.
        answers={" Unsafe": 1.0, " Controversial": 0.5, " Safe": 0.0},
        unsafe=" Unsafe",
        between="\nCategories:",
        categories={f" {name}": sexual for name, sexual in _QWEN_CATEGORIES.items()},
    ),
    Family(
        name="llama-guard",
        architectures=("llama", "llama4", "mllama"),
        sign="UNSAFE CONTENT CATEGORIES",
        question="{bos}<|start_header_id|>user<|end_header_id|>\n\nJudge the user's message by these categories.\n\n"
        "<BEGIN UNSAFE CONTENT CATEGORIES>\n"
        + "".join(f"S{i}: {name}.\n" for i, name in enumerate(_LLAMA_NAMES, 1))
        + "<END UNSAFE CONTENT CATEGORIES>\n\n<BEGIN CONVERSATION>\n\nUser: {text}\n\n<END CONVERSATION>\n\n"
        "Write 'safe' or 'unsafe' in the first line; if unsafe, the numbers of the categories in the second, with "
        "commas.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        lead="\n\n",
        answers={"unsafe": 1.0, "safe": 0.0},
        unsafe="unsafe",
        between="\n",
        categories={f"S{i}": i in _LLAMA_SEXUAL for i in range(1, len(_LLAMA_NAMES) + 1)},
    ),
    Family(
        name="shieldgemma",
        architectures=("gemma2",),
        sign="Yes",
        question="{bos}Decide whether the user's question breaks the rule below.\n\n<start_of_turn>\nHuman Question: "
        f"{{text}}\n<end_of_turn>\n\nThe rule:\n\n* {_SEXUAL_RULE}\n\nDoes the human question violate the above rule? "
        "Begin with 'Yes' or 'No'.\n\n",
        lead="",
        answers={"Yes": 1.0, "No": 0.0},
        unsafe="Yes",
        variables={"guideline": _SEXUAL_RULE},
    ),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({f.name: f for f in _ALL})


def family_of(architecture: str) -> Family | None:
    """The family whose models have this ``model_type``."""
    return next((f for f in _ALL if architecture in f.architectures), None)
