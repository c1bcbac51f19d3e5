"""Tiny pipelines of the families that the guard must hold for, with random weights and no files.

`BUILDERS` has the classic ones, `MODULAR` those made of blocks. A builder makes a pipeline of one's own; `shared` gives
one for the whole session, to tests that leave it as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from guardrail.demo.tiny import tiny_stable_diffusion
from tests.pipelines import tiny_parts as parts

STEPS = 2


def _of(class_name: str, own: dict[str, Any], **options: Any) -> Any:
    pipe = getattr(diffusers, class_name)(**own, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


# ---- Stable Diffusion 1


def text2img() -> Any:
    return tiny_stable_diffusion()


def img2img() -> Any:
    return tiny_stable_diffusion("StableDiffusionImg2ImgPipeline")


def inpaint() -> Any:
    return tiny_stable_diffusion("StableDiffusionInpaintPipeline", unet_channels=9)


def pix2pix() -> Any:
    return tiny_stable_diffusion("StableDiffusionInstructPix2PixPipeline", unet_channels=8)


def checker() -> Any:
    """With the stock safety checker, which finds fault with every picture and blackens it."""
    own = tiny_stable_diffusion().components
    own |= {"safety_checker": parts.safety_checker(flags=True), "feature_extractor": parts.clip_pixels()}
    return _of("StableDiffusionPipeline", own)


def controlnet() -> Any:
    own = tiny_stable_diffusion().components | {"controlnet": parts.control_net()}
    return _of("StableDiffusionControlNetPipeline", own, requires_safety_checker=False)


def ip_adapter() -> Any:
    pipe = tiny_stable_diffusion()
    pipe.register_modules(image_encoder=parts.clip_vision(), feature_extractor=parts.clip_pixels())
    parts.seed()
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


def animatediff() -> Any:
    own = tiny_stable_diffusion().components
    parts.seed()
    motion = diffusers.MotionAdapter(
        block_out_channels=(8, 16), motion_layers_per_block=1, motion_norm_num_groups=2, motion_num_attention_heads=2
    ).eval()
    del own["safety_checker"]
    return _of("AnimateDiffPipeline", own | {"motion_adapter": motion})


# ---- others


def sdxl() -> Any:
    return _of("StableDiffusionXLPipeline", parts.sdxl_parts(), add_watermarker=False)


def sdxl_img2img() -> Any:
    return _of("StableDiffusionXLImg2ImgPipeline", parts.sdxl_parts(), add_watermarker=False)


def sdxl_inpaint() -> Any:
    return _of("StableDiffusionXLInpaintPipeline", parts.sdxl_parts(), add_watermarker=False)


def sd3() -> Any:
    return _of("StableDiffusion3Pipeline", parts.sd3_parts())


def flux() -> Any:
    return _of("FluxPipeline", parts.flux_parts())


def flux_img2img() -> Any:
    return _of("FluxImg2ImgPipeline", parts.flux_parts())


def flux_kontext() -> Any:
    return _of("FluxKontextPipeline", parts.flux_parts())


def pixart() -> Any:
    """Has the legacy `callback` only."""
    return _of("PixArtSigmaPipeline", parts.pixart_parts())


def z_image() -> Any:
    return _of("ZImagePipeline", parts.z_image_parts())


def qwen_image() -> Any:
    return _of("QwenImagePipeline", parts.qwen_parts())


def wan() -> Any:
    return _of("WanPipeline", parts.wan_parts())


def ddim() -> Any:
    """No prompt, no latents, no callback."""
    parts.seed()
    unet = diffusers.UNet2DModel(
        sample_size=64,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    ).eval()
    return _of("DDIMPipeline", {"unet": unet, "scheduler": diffusers.DDIMScheduler()})


# ---- made of blocks


def _modular(blocks: str, own: dict[str, Any]) -> Any:
    pipe = getattr(diffusers, blocks)().init_pipeline()
    pipe.update_components(**{name: part for name, part in own.items() if name in pipe.component_names})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def modular_sdxl() -> Any:
    return _modular("StableDiffusionXLAutoBlocks", parts.sdxl_parts())


def modular_flux() -> Any:
    return _modular("FluxAutoBlocks", parts.flux_parts())


def modular_z_image() -> Any:
    return _modular("ZImageAutoBlocks", parts.z_image_parts())


def _builder(make: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(make)
    def build() -> Any:
        # The weights are seeded part by part; what a test draws afterwards is not.
        with torch.random.fork_rng(devices=[]):
            return make()

    return build


_SD = (text2img, img2img, inpaint, pix2pix, checker, controlnet, ip_adapter, animatediff)
_OTHERS = (sdxl, sdxl_img2img, sdxl_inpaint, sd3, flux, flux_img2img, flux_kontext, pixart, z_image, qwen_image, wan)
BUILDERS: dict[str, Callable[[], Any]] = {f.__name__: _builder(f) for f in (*_SD, *_OTHERS, ddim)}
MODULAR: dict[str, Callable[[], Any]] = {f.__name__: _builder(f) for f in (modular_sdxl, modular_flux, modular_z_image)}
PROMPTED = [name for name in BUILDERS if name != "ddim"]
# One of every kind of call and result; the others are tried by night.
DAILY = ("text2img", "img2img", "controlnet", "sdxl", "flux", "wan", "pixart", "ddim")


def daily(names: Iterable[str]) -> list[Any]:
    """Names for ``parametrize``: those that are not in `DAILY` run in `make nightly` only."""
    return [name if name in DAILY else pytest.param(name, marks=pytest.mark.nightly) for name in names]


@functools.cache
def shared(name: str) -> Any:
    """A pipeline for the whole session: a test that changes one builds its own."""
    return (BUILDERS | MODULAR)[name]()


def denoiser(pipe: Any) -> torch.nn.Module:
    return pipe.unet if hasattr(pipe, "unet") else pipe.transformer


# ---- calling them


def picture(side: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8))


def half_mask(side: int = 64) -> Image.Image:
    mask = np.zeros((side, side), np.uint8)
    mask[: side // 2] = 255
    return Image.fromarray(mask)


def several(name: str, count: int) -> dict[str, int]:
    """The argument that asks for so many outputs a prompt; none where there is none, or where it is ignored."""
    if name in ("ddim", "animatediff"):
        return {}
    return {"num_videos_per_prompt" if name == "wan" else "num_images_per_prompt": count}


def call_arguments(name: str, prompt: Any = "a small red fox", **more: Any) -> dict[str, Any]:
    """Arguments that suit a family: 2 steps at 64×64 pixels."""
    count = len(prompt) if isinstance(prompt, list) else 1
    images = [picture(seed=i) for i in range(count)] if count > 1 else picture()
    masks = [half_mask() for _ in range(count)] if count > 1 else half_mask()
    size = {"height": 64, "width": 64}
    short = {"max_sequence_length": 32, **size}
    own: dict[str, dict[str, Any]] = {
        "img2img": {"image": images, "strength": 1.0},
        "inpaint": {"image": images, "mask_image": masks, **size},
        "pix2pix": {"image": images},
        "controlnet": {"image": images, **size},
        "ip_adapter": {"ip_adapter_image": picture(), **size},
        "animatediff": {"num_frames": 2, **size},
        "sdxl_img2img": {"image": images, "strength": 1.0},
        "sdxl_inpaint": {"image": images, "mask_image": masks, "strength": 1.0, **size},
        "sd3": short,
        "flux": short,
        "flux_img2img": {"image": images, "strength": 1.0, **short},
        # It resizes to one of its own large sizes unless told not to.
        "flux_kontext": {"image": picture(), "max_area": 64 * 64, "_auto_resize": False, **short},
        "pixart": {"use_resolution_binning": False, "clean_caption": False, **short},
        "z_image": {"max_sequence_length": 64, "guidance_scale": 1.0, **size},
        # The byte tokenizer spends 149 ids on the chat template before the prompt.
        "qwen_image": {"max_sequence_length": 256, "true_cfg_scale": 1.0, **size},
        "wan": {"num_frames": 5, **short},
        "modular_flux": short,
        "modular_z_image": {"max_sequence_length": 64, **size},
    }
    if name == "ddim":
        return {"batch_size": count, "num_inference_steps": STEPS, **more}
    return {"prompt": prompt, "num_inference_steps": STEPS, **own.get(name, size), **more}
