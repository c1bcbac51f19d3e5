"""A Stable Diffusion pipeline small enough to build in a second, with random weights: the architecture without art.

Everything is real but the training: tokenizer, text encoder, denoiser, scheduler, autoencoder and pipeline class are
the library's own. What comes out is noise. It stands in where no pretrained model can be had, and says so.
"""

from __future__ import annotations

from typing import Any

__all__ = ["tiny_stable_diffusion"]

SEED = 20261123
WIDTH = 16


def tiny_stable_diffusion(class_name: str = "StableDiffusionPipeline", *, unet_channels: int = 4) -> Any:
    """A tiny pipeline of the named diffusers class of the Stable Diffusion 1 family.

    Args:
        class_name: e.g. ``StableDiffusionImg2ImgPipeline``.
        unet_channels: 9 for inpainting, 8 for pix2pix.

    Raises:
        MissingExtra: diffusers, transformers or torch is not installed.
    """
    try:
        import diffusers
        import torch
    except ImportError:
        from guardrail.errors import MissingExtra

        raise MissingExtra("the demo pipeline", "diffusers") from None
    # A generator of its own for the weights: the global random state stays as it is.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        vae = diffusers.AutoencoderKL(
            block_out_channels=[8] * 4,
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            sample_size=64,
        )
        unet = diffusers.UNet2DConditionModel(
            sample_size=8,
            in_channels=unet_channels,
            out_channels=4,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=2,
            norm_num_groups=2,
        )
        text_encoder = tiny_clip_text()
        scheduler = diffusers.DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        )
        pipe = getattr(diffusers, class_name)(
            vae=vae.eval(),
            unet=unet.eval(),
            text_encoder=text_encoder,
            tokenizer=byte_clip_tokenizer(),
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def byte_clip_tokenizer() -> Any:
    """A CLIP tokenizer over single bytes: it reads any text and needs no file."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    symbols = sorted(ByteLevel.alphabet())
    tokens = [*symbols, *(s + "</w>" for s in symbols), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=77)


def tiny_clip_text(width: int = WIDTH, *, projection: bool = False) -> Any:
    """A two-layer CLIP text encoder for `byte_clip_tokenizer`."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()
