"""Ways into a pipeline besides calling it: methods that take texts or pictures.

Every public method of every pipeline class that has such a parameter stands in one of three lists; a test reads them
out of the installed diffusers and fails on one that is in none. **Calls** return pictures and go the whole way of a
call. **Entries** return embeddings, masks, latents or texts: what goes in is judged, a block raises `Blocked` (nothing
could stand in the place of an embedding), and what comes out is known by provenance afterwards. **Plumbing** is called
by a pipeline with what its call was given, and returns nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from guardrail.decision import Coverage, Decisions
from guardrail.errors import Blocked, ConfigurationError
from guardrail.guard import Guard
from guardrail.guard.item import Item
from guardrail.media import Request, TextInput
from guardrail.pipelines.evidence import judge_call, origin_of
from guardrail.pipelines.provenance import Origin, ledger_of, register
from guardrail.pipelines.rewriters import Rewriting
from guardrail.pipelines.steps import GuardStop
from guardrail.pipelines.steps.settling import settle

__all__ = ["CALLS", "ENTRIES", "PLUMBING", "PRIORS", "encode_text", "judged_entry"]

CALLS = frozenset({"dual_guided", "image_variation", "text_to_image"})

_ENTRIES = """
    edit_model encode_conditions encode_image encode_image_clip_latents encode_image_vae_latents encode_kv_cache
    encode_prompt encode_prompt_multiple_images encode_video enhance_prompt generate_caption
    generate_mask generate_prior_tokens get_embeds get_glyph_texts get_image_caption get_prompt_embeds
    get_query_embeddings get_text_hidden_states interpolate invert prepare_image_latents prepare_ip_adapter_image_embeds
    prepare_reference_image_latents prepare_reference_latents prepare_siglip_embeds prepare_video_latents rewire_prompt
    tokenize_prompt upsample_prompt
"""
ENTRIES = frozenset(_ENTRIES.split())

_PLUMBING = """
    backward_loop check_image check_inputs check_source_inputs create_condition_mask decode_latents decode_text_latents
    denoise encode encode_duration expand_prompts generate_timestep_matrix get_clip_feature
    get_cross_attention_kwargs_with_grounded get_indices noise_image_embeddings normalize_first_frame numpy_to_pil
    pad_embedding pad_video_frames prepare_camera_trajectory prepare_cond_latents_and_mask prepare_conditioning_frames
    prepare_control_image prepare_control_latents prepare_cross_attention prepare_depth_map prepare_image
    prepare_image_clip_latents prepare_image_vae_latents prepare_image_with_mask prepare_intermediate_images
    prepare_latents prepare_mask_latents prepare_masked_condition prepare_masks prepare_pose_latents
    prepare_position_ids prepare_prev_segment_cond_latents prepare_sparse_control_conditioning prepare_text_latents
    prepare_video preprocess_conditions preprocess_image preprocess_mask_image preprocess_original_image process_embeds
    run_safety_checker sample_block_noise score_waveforms trim_conditioning_sequence
"""
PLUMBING = frozenset(_PLUMBING.split())

# Pipelines whose call returns embeddings: it is an entry.
PRIORS = frozenset(
    {
        "FluxPriorReduxPipeline",
        "KandinskyPriorPipeline",
        "KandinskyV22PriorEmb2EmbPipeline",
        "KandinskyV22PriorPipeline",
        "StableCascadePriorPipeline",
        "WuerstchenPriorPipeline",
    }
)


def judged_entry(
    guard: Guard,
    pipe: Any,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    swapped: Sequence[Coverage] = (),
    before: Callable[[Sequence[Origin]], None] | None = None,
) -> tuple[Any, Sequence[Origin], Decisions]:
    """Run a method of a pipeline on what it is given, if all of that is allowed.

    Args:
        function: the method, unbound.
        before: told what the method is about to be given, when that is allowed and nothing has run.

    Returns:
        Its result, what the result was made from (one for each item), and the decisions, which are on record.

    Raises:
        Blocked: anything that goes in is blocked, and the method did not run; or what it made of a prompt is, and it
            was stopped.
        TypeError: as calling the method would.
    """
    judged = judge_call(guard, pipe, function, args, kwargs, swapped=swapped)
    items = judged.session.items
    if any(item.blocked for item in items):
        _closed(judged.session, items)
    rewriting = Rewriting(pipe, judged.session)
    arguments = judged.inputs.altered(items)
    if before is not None:
        before(judged.origins)
    result: Any = None
    try:
        with rewriting.run(arguments, range(len(items))):
            result = function(pipe, **arguments.values)
    except GuardStop as stop:
        if not rewriting.ended(stop):
            raise
        settle(pipe)
    decisions = _closed(judged.session, items)
    origins = tuple(rewriting.origin(i, origin) for i, origin in enumerate(judged.origins))
    # What was made from something unread is as unread as that.
    if not judged.inputs.unverified:
        register(ledger_of(guard), function, result, origins)
    return result, origins, decisions


def _closed(session: Any, items: Sequence[Item]) -> Decisions:
    written, _ = session.close([(item, "", "") for item in items])
    decisions = Decisions(written)
    refused = next((d for d in decisions if d.blocked), None)
    if refused is not None:
        raise Blocked(refused.message(), decisions)
    return decisions


def encode_text(guard: Guard, text: str | Sequence[str], encoder: Callable[[Any], Any], *, negative: bool) -> Any:
    """Run an encoder of the user's own on a text that is allowed, and remember what it gave.

    Raises:
        Blocked: the text, or one of the texts, is blocked; the encoder did not run.
        ConfigurationError: neither a text nor a list of texts, or an encoder that cannot be called.
    """
    texts = [text] if isinstance(text, str) else list(text)
    if not texts or not all(isinstance(t, str) for t in texts) or not callable(encoder):
        raise ConfigurationError("encode_prompt takes a text or a list of texts, and an encoder to call with it")
    session = guard.session()
    context = guard.current_context()
    session.open([Request((TextInput(t, "text", i, negative),), context=context) for i, t in enumerate(texts)])
    session.judge_inputs()
    _closed(session, session.items)
    allowed = [item.current.texts[0].text for item in session.items]
    result = encoder(allowed[0] if isinstance(text, str) else allowed)
    register(ledger_of(guard), None, result, [origin_of(item) for item in session.items])
    return result
