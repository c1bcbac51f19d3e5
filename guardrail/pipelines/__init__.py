"""The only room that knows diffusers: wrapping a pipeline so that every call goes through the guard."""

from guardrail.pipelines.call import last_decisions
from guardrail.pipelines.wrap import encode_prompt, install, unwrap, wrap

__all__ = ["encode_prompt", "install", "last_decisions", "unwrap", "wrap"]
