"""Tiny pipelines of the families that the guard must hold for, with random weights and no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image

from guardrail.demo.tiny import byte_clip_tokenizer, tiny_clip_text, tiny_stable_diffusion

STEPS = 2


def _quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _seed() -> None:
    torch.manual_seed(7)


def _vae(channels: int = 4, *, quant: bool = True, **config: Any) -> Any:
    _seed()
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


def _t5() -> dict[str, Any]:
    _seed()
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


_QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
_QWEN_SPECIALS += ["<|image_pad|>", "<|video_pad|>", "<think>", "</think>"]


def _qwen_tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), *_QWEN_SPECIALS]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=2048
    )
    tokenizer.add_special_tokens({"additional_special_tokens": _QWEN_SPECIALS[1:]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def text2img() -> Any:
    return tiny_stable_diffusion()


def img2img() -> Any:
    return tiny_stable_diffusion("StableDiffusionImg2ImgPipeline")


def inpaint() -> Any:
    return tiny_stable_diffusion("StableDiffusionInpaintPipeline", unet_channels=9)


def controlnet() -> Any:
    _seed()
    control = diffusers.ControlNetModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        in_channels=4,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        conditioning_embedding_out_channels=(4, 8, 8, 8),
    ).eval()
    parts = tiny_stable_diffusion().components
    return _quiet(
        diffusers.StableDiffusionControlNetPipeline(**parts, controlnet=control, requires_safety_checker=False)
    )


def ip_adapter() -> Any:
    pipe = tiny_stable_diffusion()
    _seed()
    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    pixels = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    pipe.register_modules(
        image_encoder=transformers.CLIPVisionModelWithProjection(vision).eval(), feature_extractor=pixels
    )
    weights: dict[str, Any] = {}
    for i, name in enumerate(pipe.unet.attn_processors):
        if name.endswith("attn2.processor"):
            width = pipe.unet.get_submodule(name.rsplit(".", 1)[0]).to_k.out_features
            weights |= {f"{i}.to_{x}_ip.weight": torch.randn(width, 16) * 0.1 for x in "kv"}
    projection = {
        "proj.weight": torch.randn(64, 16) * 0.1,
        "proj.bias": torch.zeros(64),
        "norm.weight": torch.ones(16),
        "norm.bias": torch.zeros(16),
    }
    pipe.load_ip_adapter(
        {"image_proj": projection, "ip_adapter": weights}, subfolder="", weight_name="", image_encoder_folder=None
    )
    return pipe


def sdxl() -> Any:
    _seed()
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
    return _quiet(
        diffusers.StableDiffusionXLPipeline(
            vae=_vae(),
            unet=unet,
            text_encoder=tiny_clip_text(16),
            text_encoder_2=tiny_clip_text(16, projection=True),
            tokenizer=byte_clip_tokenizer(),
            tokenizer_2=byte_clip_tokenizer(),
            scheduler=diffusers.EulerDiscreteScheduler(steps_offset=1),
            add_watermarker=False,
        )
    )


def sd3() -> Any:
    _seed()
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
    t5 = _t5()
    return _quiet(
        diffusers.StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
            vae=_vae(quant=False, shift_factor=0.06, scaling_factor=1.5),
            text_encoder=tiny_clip_text(16, projection=True),
            tokenizer=byte_clip_tokenizer(),
            text_encoder_2=tiny_clip_text(16, projection=True),
            tokenizer_2=byte_clip_tokenizer(),
            text_encoder_3=t5["encoder"],
            tokenizer_3=t5["tokenizer"],
        )
    )


def flux() -> Any:
    _seed()
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
    t5 = _t5()
    return _quiet(
        diffusers.FluxPipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
            vae=_vae(quant=False, shift_factor=0.06, scaling_factor=1.5),
            text_encoder=tiny_clip_text(16),
            tokenizer=byte_clip_tokenizer(),
            text_encoder_2=t5["encoder"],
            tokenizer_2=t5["tokenizer"],
        )
    )


def z_image() -> Any:
    _seed()
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
    _seed()
    config = transformers.Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=256 + len(_QWEN_SPECIALS),
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=256,
    )
    return _quiet(
        diffusers.ZImagePipeline(
            transformer=transformer,
            vae=_vae(16, quant=False, shift_factor=0.1, scaling_factor=0.36),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
            text_encoder=transformers.Qwen3Model(config).eval(),
            tokenizer=_qwen_tokenizer(),
        )
    )


def qwen_image() -> Any:
    _seed()
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
    vae = diffusers.AutoencoderKLQwenImage(
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
            "vocab_size": 256 + len(_QWEN_SPECIALS),
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
    return _quiet(
        diffusers.QwenImagePipeline(
            transformer=transformer,
            vae=vae,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
            text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
            tokenizer=_qwen_tokenizer(),
        )
    )


def wan() -> Any:
    _seed()
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
    vae = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).eval()
    t5 = _t5()
    return _quiet(
        diffusers.WanPipeline(
            transformer=transformer,
            vae=vae,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
            text_encoder=t5["encoder"],
            tokenizer=t5["tokenizer"],
        )
    )


BUILDERS: dict[str, Callable[[], Any]] = {
    f.__name__: f
    for f in (text2img, img2img, inpaint, controlnet, ip_adapter, sdxl, sd3, flux, z_image, qwen_image, wan)
}


def picture(side: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8))


def half_mask(side: int = 64) -> Image.Image:
    mask = np.zeros((side, side), np.uint8)
    mask[: side // 2] = 255
    return Image.fromarray(mask)


def call_arguments(name: str, prompt: Any = "a small red fox", **more: Any) -> dict[str, Any]:
    """Arguments that suit a family: 2 steps at 64×64 pixels."""
    count = len(prompt) if isinstance(prompt, list) else 1
    images = [picture(seed=i) for i in range(count)] if count > 1 else picture()
    masks = [half_mask() for _ in range(count)] if count > 1 else half_mask()
    own: dict[str, dict[str, Any]] = {
        "img2img": {"image": images, "strength": 1.0},
        "inpaint": {"image": images, "mask_image": masks, "height": 64, "width": 64},
        "controlnet": {"image": images, "height": 64, "width": 64},
        "ip_adapter": {"ip_adapter_image": picture(), "height": 64, "width": 64},
        "sd3": {"max_sequence_length": 32, "height": 64, "width": 64},
        "flux": {"max_sequence_length": 32, "height": 64, "width": 64},
        "z_image": {"max_sequence_length": 64, "guidance_scale": 1.0, "height": 64, "width": 64},
        # The byte tokenizer spends 149 ids on the chat template before the prompt.
        "qwen_image": {"max_sequence_length": 256, "true_cfg_scale": 1.0, "height": 64, "width": 64},
        "wan": {"num_frames": 5, "max_sequence_length": 32, "height": 64, "width": 64},
    }
    return {"prompt": prompt, "num_inference_steps": STEPS, **own.get(name, {"height": 64, "width": 64}), **more}
