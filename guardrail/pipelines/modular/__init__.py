"""Pipelines made of blocks, `diffusers.ModularPipeline`: the same guard around the same kind of call."""

from guardrail.pipelines.modular.inner import ModularInner, is_modular

__all__ = ["ModularInner", "is_modular"]
