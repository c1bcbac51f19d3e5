"""What in a call belongs to which prompt: how many there are, and which lists and batches have one entry for each.

What is not one for each, or could be meant otherwise, belongs to every prompt: a rule that reads words and pictures
together must not miss the one because the other stands elsewhere in a list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from guardrail.pipelines.arguments import Arguments, Leaf
from guardrail.pipelines.kinds import Kind, is_avoided, is_negative

__all__ = ["is_one_each", "is_per_prompt", "prompts_in", "shared_arguments"]

PROMPTS = ("prompt", "prompt_2", "prompt_3", "prompt_4", "text", "instruction")
# Pictures that a pipeline takes one of for each prompt of a batch.
ALIGNED = frozenset({"image", "mask_image", "control_image", "init_image", "original_image", "mask", "video"})
# Families where a list of pictures is a list of references for every prompt.
SHARED_IMAGES = (
    "BriaFibo2",
    "EditPlus",
    "Flux2",
    "Kontext",
    "LTXCondition",
    "OmniGen",
    "QwenImage21",
    "VisualCloze",
    "ZImageOmni",
)


def prompts_in(arguments: Arguments, leaves: Sequence[Leaf]) -> int:
    """How many prompts a call has."""
    for name in PROMPTS:
        value = arguments.values.get(name)
        if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
            return len(value)
        if isinstance(value, str):
            return 1
    for leaf in leaves:
        if (
            leaf.kind is Kind.TEXT_EMBEDDING
            and not is_negative(leaf.argument)
            and len(leaf.path) == 1
            and leaf.value.ndim
        ):
            return max(1, int(leaf.value.shape[0]))
    size = arguments.get("batch_size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else 1


def is_per_prompt(argument: str) -> bool:
    """Whether a list of texts has one for each prompt: prompts, and words to be avoided beside them.

    Others (phrases of places, edits, templates) may reach every prompt, whatever the length of their list.
    """
    return argument in PROMPTS or is_avoided(argument)


def is_one_each(argument: str, pipeline: str, shared: Collection[str]) -> bool:
    """Whether a batch of pictures has one for each prompt.

    Args:
        pipeline: names of the pipeline's class and of the classes that it is made of.
        shared: arguments of which this is known not to be so (see `shared_arguments`).
    """
    return argument in ALIGNED and argument not in shared and not any(word in pipeline for word in SHARED_IMAGES)


def shared_arguments(pipe: Any, arguments: Arguments) -> frozenset[str]:
    """Arguments in which a list of pictures is one for each part of `pipe`, such as several ControlNets or adapters.

    One union ControlNet takes a list as well: one picture for each kind of control.
    """
    shared: set[str] = set()
    net, adapter = getattr(pipe, "controlnet", None), getattr(pipe, "adapter", None)
    if _is_several(net) or "Union" in type(net).__name__:
        shared.add("control_image" if arguments.accepts("control_image") else "image")
    if _is_several(adapter):
        shared.add("image")
    return frozenset(shared)


def _is_several(part: Any) -> bool:
    return isinstance(part, list | tuple) or any(hasattr(part, name) for name in ("nets", "adapters"))
