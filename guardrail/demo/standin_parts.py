"""The networks of the stand-in model, untrained: diffusers' and transformers' own classes, in small.

`guardrail.demo.standin` fills them with the trained weights; `training/standin` trains them.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

from guardrail.demo.standin_words import SHAPES, WORDS

__all__ = ["CHANNELS", "TOKENS", "judge", "preview_judge", "scheduler", "text_encoder", "tokenizer", "unet", "vae"]

TOKENS = 32  # a prompt's length, with its two marks
CHANNELS = 12  # of a latent
_WIDTH = 96
_MARKS = ("<|startoftext|>", "<|endoftext|>")


def vae() -> Any:
    """An autoencoder, 64×64 pixels to 16×16×12 latents (0.66 million parameters).

    It has no attention over the whole picture: what it learns on crops holds for pictures of any size.
    """
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=[16, 32, 64],
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        latent_channels=CHANNELS,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def unet() -> Any:
    """The denoiser (1.7 million parameters); it reads the prompt by cross-attention at 8×8."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=(40, 80),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        # The prompt as a whole also goes where the time goes: colours and shapes are learnt in a fraction of the steps.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def text_encoder() -> Any:
    """A two-layer CLIP text encoder over `tokenizer`."""
    from transformers import CLIPTextConfig, CLIPTextModel

    ids = _vocabulary()[0]
    start, end = (ids[mark] for mark in _MARKS)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(ids),
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            projection_dim=_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=start,
            eos_token_id=end,
            pad_token_id=end,
        )
    )


def tokenizer() -> Any:
    """A CLIP tokenizer made in memory: a word of the vocabulary is one token, any other is read byte by byte."""
    from transformers import CLIPTokenizer

    ids, merges = _vocabulary()
    return CLIPTokenizer(vocab=dict(ids), merges=list(merges), model_max_length=TOKENS)


def scheduler() -> Any:
    """DDIM with Stable Diffusion's noise schedule; the denoiser predicts velocity (Salimans and Ho 2022)."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        # With the usual end of the schedule a plain ground shines through the noise, and the prompt's is not learnt
        # (Lin et al. 2023, arXiv 2305.08891).
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


@cache
def _vocabulary() -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    """Token ids, and the merges that rebuild whole words.

    A merge ranks after all that were needed before it, so that no word takes another apart.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    symbols = sorted(ByteLevel.alphabet())
    merges: dict[tuple[str, str], int] = {}
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            known = [(merges[pair], i) for i, pair in enumerate(pairwise(parts)) if pair in merges]
            if not known:
                merges[parts[0], parts[1]] = len(merges)
                known = [(0, 0)]
            i = min(known)[1]
            # As the tokenizer does: all places of the best pair, from the left.
            pair, merged, k = (parts[i], parts[i + 1]), [], 0
            while k < len(parts):
                both = tuple(parts[k : k + 2]) == pair
                merged.append(parts[k] + parts[k + 1] if both else parts[k])
                k += 2 if both else 1
            parts = merged
    tokens = dict.fromkeys([*symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in merges), *_MARKS])
    return {token: i for i, token in enumerate(tokens)}, tuple(merges)


def judge() -> Any:
    """The judge of final pictures: (N, 3, 64, 64) in [-1, 1] to (N, 9) logits of the shapes, the last for none."""
    return _cnn((24, 48, 64), smooth=False)


def preview_judge() -> Any:
    """The judge of previews, of another architecture: deeper, and of smooth units."""
    return _cnn((32, 40, 48, 64), smooth=True)


def _cnn(widths: tuple[int, ...], *, smooth: bool) -> Any:
    """Convolutions with batch normalisation that halve the side each time; a linear layer over the maxima."""
    from torch import nn

    layers: list[Any] = []
    before = 3
    for i, width in enumerate(widths):
        rectifier = nn.SiLU if smooth else nn.ReLU
        if i == 0:
            # At the picture's full side layers are dear: the first one strides.
            layers.append(nn.Conv2d(before, width, 5, stride=2, padding=2, bias=False))
        else:
            layers += [nn.MaxPool2d(2), nn.Conv2d(before, width, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(width), rectifier()]
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), rectifier()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(before, len(SHAPES) + 1))
