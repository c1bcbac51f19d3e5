"""Every name of a parameter in diffusers 0.42.1, and what it holds: sorted by hand, by name and use, and kept here.

Values decide what a check sees (`kinds.classify`); names tell apart what looks alike: which words are to be avoided,
which tensor is an embedding and which a starting noise, which string is a switch of the program and which a file to be
opened. A name that is not here is not trusted with anything. A test walks the installed diffusers and fails on any name
that is missing, so that an update of it is an update of this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["GIVES_PARTS", "GUARDED_AS", "OUT_OF_SCOPE", "Holds", "held_by", "names_of", "out_of_scope"]


class Holds(StrEnum):
    """What a parameter is for."""

    TEXT = "text"
    NEGATIVE = "text to be avoided"
    SYSTEM = "text around the prompt"
    IMAGE = "picture"
    CONTROL = "control picture"
    CONTROL_VIDEO = "control video"
    MASK = "mask"
    VIDEO = "video"
    OBJECT = "object with pictures or texts inside"
    NESTED = "mapping"
    AUDIO = "sound"
    TEXT_EMBEDDING = "embedding of text"
    IMAGE_EMBEDDING = "embedding of a picture"
    LATENT = "starting latent"
    CONDITION_LATENT = "latent of a picture"
    TOKEN_IDS = "token ids"  # noqa: S105 - no secret
    SEQUENCE_MASK = "mask over tokens"
    GEOMETRY = "places and cameras"
    CALLBACK = "callback"
    SETTING = "number, switch or word for the program"


GUARDED_AS: Mapping[Holds, str] = {
    Holds.TEXT: "every text in it goes to the text checks",
    Holds.NEGATIVE: "text checks, as words to be avoided; as words asked for where a guidance scale is below zero",
    Holds.SYSTEM: "as text",
    Holds.IMAGE: "image checks; a path or an address is refused; a tensor that is no picture counts as a latent",
    Holds.CONTROL: "as a picture, in the role of a control",
    Holds.CONTROL_VIDEO: "every frame goes to the image checks, as a control",
    Holds.MASK: "image checks, in the role of a mask",
    Holds.VIDEO: "every frame goes to the image checks",
    Holds.OBJECT: "walked into, whatever its class; what cannot be opened is named",
    Holds.NESTED: "walked into; keys are texts as well",
    Holds.AUDIO: "not checked: named in `coverage`",
    Holds.TEXT_EMBEDDING: "by provenance; an unknown one is named in `coverage` and left to the policy",
    Holds.IMAGE_EMBEDDING: "as embeddings of text",
    Holds.LATENT: "by provenance, or decoded for a look; otherwise named and left to the policy",
    Holds.CONDITION_LATENT: "as starting latents",
    Holds.TOKEN_IDS: "named, and left to the policy",
    Holds.SEQUENCE_MASK: "two values or whole numbers in a row pass; anything else is named",
    Holds.GEOMETRY: "coordinates and matrices up to 4×4 pass; anything else is looked at as a picture or named",
    Holds.CALLBACK: "functions pass; the output is judged whatever they change, what they decode themselves is not",
    Holds.SETTING: "numbers and short words pass; sentences, pictures and tensors are looked at or named",
}

# Classes of which no output could be judged: they are refused when they are put under a guard.
OUT_OF_SCOPE: Mapping[str, str] = {
    "makes sound": """
        AceStepPipeline AudioDiffusionPipeline AudioLDM2Pipeline AudioLDMPipeline DanceDiffusionPipeline
        LongCatAudioDiTPipeline MusicLDMPipeline SpectrogramDiffusionPipeline StableAudio3AudioToAudioPipeline
        StableAudio3InpaintPipeline StableAudio3Pipeline StableAudioPipeline
    """,
    "makes text": "DiffusionGemmaPipeline LLaDA2Pipeline",
    "makes proteins": "RFD4ProteinaPipeline",
    "makes maps of depth, normals or light from a picture": """
        MarigoldDepthPipeline MarigoldIntrinsicsPipeline MarigoldNormalsPipeline
    """,
    "gives pictures and their depth as two lists, of which only one could be judged": "StableDiffusionLDM3DPipeline",
}

# Classes that give embeddings for another pipeline: what goes in is judged, and the picture where it is made.
GIVES_PARTS = """
    FluxPriorReduxPipeline KandinskyPriorPipeline KandinskyV22PriorEmb2EmbPipeline KandinskyV22PriorPipeline
    StableCascadePriorPipeline WuerstchenPriorPipeline
"""

_NAMES: Mapping[Holds, str] = {
    Holds.TEXT: """
        audio_codes complete_track_classes content_prompt editing_prompt gligen_phrases instruction lyrics
        messages prompt prompt_2 prompt_3 prompt_4 prompt_ref prompt_segments source_prompt
        source_subject_category target_subject_category task_prompt track_name transcription
    """,
    Holds.NEGATIVE: """
        neg_prompt negative_prompt negative_prompt_2 negative_prompt_3 negative_prompt_4
    """,
    Holds.SYSTEM: """
        chi_prompt complex_human_instruction fonts keyscale pe_system_prompt prompt_template system_prompt
        task_type timesignature vocal_language
    """,
    Holds.IMAGE: """
        cond_image condition_images condtioning_image example_image gligen_images gligen_inpaint_image image
        image_pixels image_reference images input_images ip_adapter_image last_image memory_images
        negative_ip_adapter_image normalized_references original_image processed_image ref_image reference_image
        reference_images resized_cond_image resized_image resized_last_image text_images
    """,
    Holds.CONTROL: """
        control_image controlnet_cond controls depth_map hint kps_cond
    """,
    Holds.CONTROL_VIDEO: """
        control_camera_video control_frames control_video control_videos driving_video driving_video_condition
        driving_video_pixels face_video pose_video
    """,
    Holds.MASK: """
        control_mask mask mask_image mask_video padding_mask processed_mask_image user_mask
    """,
    Holds.VIDEO: """
        background_video condition_pixel_frames conditioning_frames video video_tiles videos
        vision_condition_frames
    """,
    Holds.OBJECT: """
        action conditioning_features conditions keyframe_anchors keyframes output_chunks previous_output
        reference_conditions references
    """,
    Holds.NESTED: """
        attention_kwargs cross_attention_kwargs denoiser_input_fields ensembling_kwargs joint_attention_kwargs
        mask_overlay_kwargs preprocess_kwargs prompt_enhancement_kwargs
    """,
    Holds.AUDIO: """
        audio audio_file initial_audio_waveforms memory_audio_waveforms raw_audio reference_audio sound
        src_audio
    """,
    Holds.TEXT_EMBEDDING: """
        connector_audio_embeds connector_audio_prompt_embeds connector_prompt_embeds connector_video_embeds
        controlnet_pooled_projections editing_pooled_prompt_embeds editing_prompt_embeddings
        editing_prompt_embeds encoder_hidden_states frame_hiddens generated_prompt_embeds ip_adapter_embeds
        negative_connector_audio_prompt_embeds negative_connector_prompt_embeds negative_encoder_hidden_states
        negative_generated_prompt_embeds negative_ip_adapter_embeds negative_pooled_prompt_embeds
        negative_prompt_embeds negative_prompt_embeds_2 negative_prompt_embeds_clip
        negative_prompt_embeds_llama3 negative_prompt_embeds_pooled negative_prompt_embeds_qwen
        negative_prompt_embeds_t5 negative_qwen_prompt_embeds negative_text_bth pooled_prompt_embeds
        prompt_embeds prompt_embeds_2 prompt_embeds_clip prompt_embeds_llama3 prompt_embeds_pooled
        prompt_embeds_qwen prompt_embeds_t5 prompt_latents prompt_ref_embeds qwen_prompt_embeds source_embeds
        target_embeds text_bth text_features text_model_output text_pad_embedding
    """,
    Holds.IMAGE_EMBEDDING: """
        clip_latents condition_clip_context id_cond id_vit_hidden image_embeddings image_embeds
        ip_adapter_image_embeds negative_image_embeds negative_ip_adapter_image_embeds
    """,
    Holds.LATENT: """
        action_latents audio_latents audio_noise_pred clean_latents decoder_latents encoding history_latents
        initial_noise kv_cache latent_chunks latents latents_bb_ca latents_local_latents noise noise_pred
        partial_t_bb_ca partial_t_local_latents prior_latents sana_latent sound_latents super_res_latents
        velocity velocity_action velocity_sound velocity_vision vision_tokens_full vision_tokens_target
    """,
    Holds.CONDITION_LATENT: """
        audio_condition_latents cond_action_segment cond_latents_concat cond_sound_segment cond_text_segment
        cond_vision_segment condition_latents condition_rows control_image_latents control_latents
        control_video_latents driving_video_latents fake_image_latents first_frame_latents first_frame_tokens
        first_last_frame_latents guidance_keyframe_latents guidance_latents image_cond_latents
        image_condition_latents image_latents keyframes_latents last_image_latents mask_concat
        masked_image_latents masked_video_latents memory_audio_latents memory_audio_tokens memory_video_latents
        memory_video_tokens negative_index_latents reference_image_latents reference_latents sem_guidance
        uncond_action_segment uncond_sound_segment uncond_text_segment uncond_vision_segment vae_latents
        video_latents vision_conditioning_latents x0_tokens_vision
    """,
    Holds.TOKEN_IDS: """
        cond_input_ids input_ids input_tokens negative_t5_input_ids prior_token_ids prior_token_image_ids
        t5_input_ids uncond_input_ids
    """,
    Holds.SEQUENCE_MASK: """
        action_condition_mask atom37_mask attention_mask conditioning_attention_mask conditioning_mask
        connector_attention_mask encoder_attention_mask image_pad_mask input_images_mask input_phrases_mask
        negative_attention_mask negative_connector_attention_mask negative_encoder_attention_mask
        negative_image_pad_mask negative_prompt_attention_mask negative_prompt_attention_mask_2
        negative_prompt_cu_seqlens negative_prompt_embeds_mask negative_prompt_embeds_mask_2
        negative_qwen_attention_mask negative_t5_attention_mask prompt_attention_mask prompt_attention_mask_2
        prompt_cu_seqlens prompt_embeds_mask prompt_embeds_mask_2 qwen_attention_mask reference_cross_mask
        t5_attention_mask text_attention_mask use_cross_attn_mask use_intersect_mask velocity_mask
        vision_condition_mask
    """,
    Holds.GEOMETRY: """
        add_time_ids appended_coords audio_coords audio_indices boxes c2w chunk_starts cond_position_ids
        coords_nm crop_region crops_coords frame_ids gligen_boxes grid_sizes_ref image_latent_ids img_ids
        img_shapes indicator intrinsics latent_ids memory_audio_coords memory_video_coords negative_add_time_ids
        negative_indicator negative_position_ids negative_segment_ids negative_txt_ids position_ids
        reference_coords reference_crop segment_ids source_image_grid_thw text_ids text_indices text_token_tags
        txt_ids uncond_position_ids video_coords video_indices
    """,
    Holds.CALLBACK: """
        callback callback_on_step_end callback_on_step_end_tensor_inputs callback_steps
        prior_callback_on_step_end prior_callback_on_step_end_tensor_inputs
    """,
    Holds.SETTING: """
        _auto_resize action_condition_frame_indexes action_mode action_scheduler adain_factor
        adapter_conditioning_factor adapter_conditioning_scale add_duration_template add_generation_prompt
        add_noise_to_image_latents add_noise_to_video_latents add_predicted_noise add_resolution_template
        addnoise_condition aesthetic_score ar_step attn_res attn_store_steps audio_cover_strength audio_duration
        audio_duration_s audio_end_in_s audio_guidance_rescale audio_guidance_scale audio_latent_mel_bins
        audio_length_in_s audio_modality_scale audio_num_frames audio_scheduler audio_start_in_s audio_stg_scale
        audio_timesteps augment_sigma base_num_frames base_token_count batch_size block_length block_size bpm
        cache_implementation caption_upsample_temperature causal_block_size cfg_interval_end cfg_interval_start
        cfg_normalization cfg_normalize cfg_renorm_min cfg_trunc_ratio cfg_truncation chunk_frames chunk_id
        chunk_partition circular_padding class_labels clean_caption clip_skip clip_value cond_sequence_length
        cond_strength condition_frame_indexes_vision condition_indices condition_num_frames condition_strengths
        condition_video_keep conditional_frame_timestep conditioning_attention_strength conditioning_scale
        confidence_threshold control_guidance control_guidance_end control_guidance_interval
        control_guidance_start control_mode controlnet_conditioning_scale controlnet_frame_indices
        controlnet_keep controls_conditioning_scale crops_coords_top_left cross_attention_guidance_amount
        current_conditional_frames data_type debug decode_chunk_size decode_horizontal_tiles decode_noise_scale
        decode_overlap decode_timestep decode_vertical_tiles decoder_guidance_scale decoder_num_inference_steps
        decoder_timesteps denoise_strength denoising_end denoising_start denormalize distilled_guidance_scale
        do_patching driving_video_fps dtype duration edit_cooldown_steps edit_guidance_scale edit_mom_beta
        edit_momentum_scale edit_threshold edit_warmup_steps edit_weights editing_threshold effective_segment
        enable_cfg_renorm enable_denormalization enable_prompt_enhancement enable_prompt_rewrite
        enable_safety_check enable_sound enable_temporal_attentions enable_temporal_reasoning
        enforce_inference_steps ensemble_size eos_early_stop eos_token_id eta expand_prompts
        first_frame_token_count fps fps_sound fps_vision frame_index frame_rate frame_size frames freeze_audio
        gen_length generate_slots generator gligen_normalize_constant gligen_scheduled_sampling_beta guess_mode
        guidance guidance_interval guidance_keyframe_positions guidance_keyframe_strength guidance_rescale
        guidance_scale guidance_scale_2 guidance_schedule guiding_strength gw height history_sizes
        image_cond_noise_scale image_crf image_embed_interleave image_guidance_scale image_height
        image_noise_sigma_max image_noise_sigma_min image_seq_len image_width img_guidance_scale
        init_noise_level initial_audio_sampling_rate inpaint_strength input_frames_guidance
        intermediate_timesteps inverse_folding is_amplify_first_chunk is_in_context_conditioning
        is_skip_first_chunk jump_length jump_n_sample keep_first_frame keyframe_positions kv_max_frames
        latent_height latent_num_frames latent_shape latent_timestep latent_width latent_window_size
        latents_normalized layers logsnr_max logsnr_min lq_noise_scale mask_end_seconds mask_end_secs
        mask_feature mask_start_seconds mask_start_secs mask_token_id match_input_resolution max_area
        max_guidance_scale max_input_image_size max_iter_to_alter max_lyric_length max_new_tokens max_post_steps
        max_seconds max_seq_len max_seq_len_ref max_sequence_length max_text_length max_timesteps
        memory_audio_sample_rates memory_audio_token_count memory_position_offset memory_position_slot_stride
        memory_video_token_count micro_conditioning_aesthetic_score micro_conditioning_crop_coord
        min_guidance_scale min_overlap min_seconds minimal_topk mixed_precision_first_steps
        mixed_precision_format mixed_precision_last_steps mixed_precision_reasoner_policy modality_scale mode
        model_frame_rate motion_bucket_id motion_encode_batch_size motion_field_strength_x
        motion_field_strength_y motion_scale motion_speed mu negative_aesthetic_score
        negative_crops_coords_top_left negative_index_strength negative_original_size negative_target_size
        negative_text_lens noise_aug_strength noise_level noise_scale normalize num_ar_conditional_frames
        num_ar_latent_conditional_frames num_audio_latents num_chunks num_condition_audio_rows
        num_condition_video_rows num_conditional_frames num_designs_per_prompt
        num_first_chunk_conditional_frames num_frames num_frames_per_chunk num_images_per_prompt
        num_inference_steps num_latent_chunk num_latent_conditional_frames num_latent_frames
        num_latent_frames_per_chunk num_noisy_vision_tokens num_prompts_per_image num_ref_tokens
        num_reference_images num_segments num_temporal_reasoning_steps num_video_frames_per_chunk
        num_videos_per_prompt num_warmup_steps num_waveforms_per_prompt original_inference_steps original_size
        output_latent output_path output_resolution output_type output_uncertainty overlap_history
        padding_mask_crop pag_adaptive_scale pag_scale parallel pe_temperature pe_top_p
        pooled_prompt_embeds_scale prev_segment_conditioning_frames prior_guidance_scale
        prior_num_inference_steps prior_timesteps processing_resolution prompt_embeds_scale
        prompt_enhancement_seed prompt_max_new_tokens prompt_reps prompt_strength prompt_upsampling
        prompt_upsampling_temperature proportional_attn pyramid_num_inference_steps_list raw_action_dim_resolved
        real_frame_len reference_downscale_factor reference_token_counts render_text_images repainting_end
        repainting_start resample_method_input resample_method_output resolution resolution_scale return_dict
        return_index reverse_editing_direction rope_interpolation_scale round_index row_timestep_plan sag_scale
        sample_audio sampling_method sampling_rate sampling_type scale_factor scaling_watershed seed
        segment_frame_length segment_frames shift sigma_conditioning sigmas silence_padding_duration sink_size
        skip_guidance_layers skip_layer_guidance_scale skip_layer_guidance_start skip_layer_guidance_stop
        skip_steps_sigma_threshold skip_text_cleaning sld_guidance_scale sld_mom_beta sld_momentum_scale
        sld_threshold sld_warmup_steps slice sound_scheduler source_guidance_scale source_seconds
        spatial_patch_size spatio_temporal_guidance_blocks stability_threshold start_step std step_generator
        steps stg_scale store_averaged_over_steps strength stride super_res_num_inference_steps
        supports_local_latent t0 t1 target_condition_indexes target_fps target_size temperature temporal_overlap
        temporal_overlap_cond_strength temporal_patch_size temporal_tile_size text_encoder_out_layers
        text_lengths text_lens text_to_image_strength threshold thresholds tiles_batch_size timestep_cond
        timesteps token_indices token_type tokenizer_max_length tolerance tone_map_compression_ratio top_k top_p
        total_frames true_cfg_scale truncation_rate uncond_sequence_length upsampling_height upsampling_strength
        upsampling_width use_chat_template use_clipped_model_output use_cross_timestep use_dynamic_cfg
        use_en_prompt use_input_image_size_as_output use_kv_cache use_mean_velocity use_pe
        use_resolution_binning use_system_prompt use_zero_init vae_batch_size video_length video_noise_sigma_max
        video_noise_sigma_min view_batch_size vision_condition_indexes_for_pack vision_timesteps width
        zero_steps
    """,
}

_HELD: Mapping[str, Holds] = {name: holds for holds, names in _NAMES.items() for name in names.split()}


def held_by(name: str) -> Holds | None:
    """What the parameter `name` holds; ``None`` for a name that is not on the list."""
    return _HELD.get(name)


def names_of(holds: Holds) -> tuple[str, ...]:
    """The names on the list that hold this, sorted."""
    return tuple(_NAMES[holds].split())


def out_of_scope(pipe: object) -> str:
    """Why no output of a pipeline could be judged; empty where it can be."""
    kinds = {c.__name__ for c in type(pipe).__mro__}
    return next((reason for reason, names in OUT_OF_SCOPE.items() if kinds & set(names.split())), "")
