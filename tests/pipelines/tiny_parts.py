"""The parts that tiny pipelines are made of: real classes, random weights, no files. See `tests.pipelines.tiny`."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers

from guardrail.demo.tiny import byte_clip_tokenizer, tiny_clip_text

SEED = 7
QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
QWEN_SPECIALS += ["<|image_pad|>", "<|video_pad|>", "<think>", "</think>"]


def seed() -> None:
    """Before each part, so that it has the same weights whatever was built before it."""
    torch.manual_seed(SEED)


# ---- shared by several families


def vae(channels: int = 4, *, quant: bool = True, **config: Any) -> Any:
    """An autoencoder by the factor 8: 64×64 pixels are 8×8 latents."""
    seed()
    return diffusers.AutoencoderKL(
        block_out_channels=[8] * 4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=channels,
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=64,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
        **config,
    ).eval()


def t5() -> dict[str, Any]:
    """An encoder and a tokenizer over single characters."""
    seed()
    config = transformers.T5Config(
        vocab_size=128,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(chr(c), -3.0) for c in range(33, 127)]
    tokenizer = transformers.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)
    return {"encoder": transformers.T5EncoderModel(config).eval(), "tokenizer": tokenizer}


def qwen_tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), *QWEN_SPECIALS]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=2048
    )
    tokenizer.add_special_tokens({"additional_special_tokens": QWEN_SPECIALS[1:]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def clip_vision() -> Any:
    seed()
    config = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    return transformers.CLIPVisionModelWithProjection(config).eval()


def clip_pixels() -> Any:
    # By this name: the other one wants torchvision, and warns when it does without.
    return transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def safety_checker(*, flags: bool) -> Any:
    """The stock checker, its thresholds set so that it flags every picture, or none."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    seed()
    text = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 8}
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    checker = StableDiffusionSafetyChecker(config).eval()
    # A cosine lies in -1..1, so it is above the one threshold and below the other, whatever the picture.
    checker.concept_embeds_weights.data.fill_(-2.0 if flags else 2.0)
    checker.special_care_embeds_weights.data.fill_(2.0)
    return checker


def control_net() -> Any:
    seed()
    return diffusers.ControlNetModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        in_channels=4,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        conditioning_embedding_out_channels=(4, 8, 8, 8),
    ).eval()


# ---- all parts of a family


def sdxl_parts() -> dict[str, Any]:
    seed()
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=2,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        use_linear_projection=True,
        projection_class_embeddings_input_dim=6 * 4 + 16,
        transformer_layers_per_block=1,
    ).eval()
    return {
        "vae": vae(),
        "unet": unet,
        "text_encoder": tiny_clip_text(16),
        "text_encoder_2": tiny_clip_text(16, projection=True),
        "tokenizer": byte_clip_tokenizer(),
        "tokenizer_2": byte_clip_tokenizer(),
        "scheduler": diffusers.EulerDiscreteScheduler(steps_offset=1),
    }


def sd3_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=8,
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pooled_projection_dim=32,
    ).eval()
    text = t5()
    return {
        "transformer": transformer,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "vae": vae(quant=False, shift_factor=0.06, scaling_factor=1.5),
        "text_encoder": tiny_clip_text(16, projection=True),
        "tokenizer": byte_clip_tokenizer(),
        "text_encoder_2": tiny_clip_text(16, projection=True),
        "tokenizer_2": byte_clip_tokenizer(),
        "text_encoder_3": text["encoder"],
        "tokenizer_3": text["tokenizer"],
    }


def flux_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=[4, 4, 8],
    ).eval()
    text = t5()
    return {
        "transformer": transformer,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "vae": vae(quant=False, shift_factor=0.06, scaling_factor=1.5),
        "text_encoder": tiny_clip_text(16),
        "tokenizer": byte_clip_tokenizer(),
        "text_encoder_2": text["encoder"],
        "tokenizer_2": text["tokenizer"],
    }


def pixart_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=8,
        patch_size=2,
        num_layers=1,
        in_channels=4,
        out_channels=8,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_channels=32,
        cross_attention_dim=16,
        use_additional_conditions=False,
    ).eval()
    text = t5()
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )
    return {
        "transformer": transformer,
        "scheduler": scheduler,
        "vae": vae(),
        "text_encoder": text["encoder"],
        "tokenizer": text["tokenizer"],
    }


def z_image_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    ).eval()
    with torch.no_grad():
        # These are torch.empty in the library: whatever was in memory, NaN included.
        transformer.x_pad_token.fill_(0.1)
        transformer.cap_pad_token.fill_(0.1)
    seed()
    config = transformers.Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=256 + len(QWEN_SPECIALS),
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=256,
    )
    return {
        "transformer": transformer,
        "vae": vae(16, quant=False, shift_factor=0.1, scaling_factor=0.36),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "text_encoder": transformers.Qwen3Model(config).eval(),
        "tokenizer": qwen_tokenizer(),
    }


def qwen_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    ).eval()
    coder = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    ).eval()
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": 256 + len(QWEN_SPECIALS),
            "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e4},
            "bos_token_id": None,
            "eos_token_id": 256,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
        vision_start_token_id=259,
        vision_end_token_id=260,
        image_token_id=261,
        video_token_id=262,
    )
    return {
        "transformer": transformer,
        "vae": coder,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "text_encoder": transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        "tokenizer": qwen_tokenizer(),
    }


def wan_parts() -> dict[str, Any]:
    seed()
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    ).eval()
    coder = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).eval()
    text = t5()
    return {
        "transformer": transformer,
        "vae": coder,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
        "text_encoder": text["encoder"],
        "tokenizer": text["tokenizer"],
    }
