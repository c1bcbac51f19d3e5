"""Pipelines made of blocks, `diffusers.ModularPipeline`: the same guard around the same kind of call."""

from guardrail.pipelines.modular.inner import ModularInner

__all__ = ["ModularInner"]
