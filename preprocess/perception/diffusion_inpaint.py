"""Inpainting by Stable Diffusion: batches with one mask and one noise per image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sluice.infra.weights.pretrained import ModelFolderError, load, load_network
from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.perception.inpaint import compose
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Painting:
    """How to inpaint; the defaults make an empty background (CnC, Sec. 3.1 and its released code).

    `noise` is how much of its noise a picture begins with: all of it, as the networks were trained, makes one of many
    that could be; none of it what is likeliest, smooth where nothing is known.
    """

    prompt: str = "empty scenery, highly detailed, no people"
    negative_prompt: str = "low resolution, worst quality, low quality"
    steps: int = 25
    guidance: float = 10.0
    strength: float = 1.0
    seed: int = 0
    noise: float = 1.0


EMPTY_SCENERY = Painting()


class DiffusionInpainter:
    """A `StableDiffusionInpaintPipeline` folder, called on images, holes and keys of equal number.

    Images are RGB uint8 `(height, width, 3)`, holes bool `(height, width)`; returned are the images with their holes
    filled, all other pixels their own. The noise of an image is a function of (seed, key), so neither its batch nor its
    order matters. Sizes that the network cannot take are padded by reflection and cut again. The safety checker is left
    off: unsafe pictures are the safety stage's to drop, and a checker that blackens one would spoil the record.
    Raises ValueError where half precision overflows.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        batch_size: int = 1,
        painting: Painting = EMPTY_SCENERY,
    ) -> None:
        self.painting = painting
        self.pipeline = _load_pipeline(folder, dtype).to(device)
        self.batch_size = batch_size
        self.multiple = self.pipeline.vae_scale_factor * 2 ** (len(self.pipeline.unet.config.block_out_channels) - 1)
        self.prompts = self._encode_prompts()

    def __call__(self, images: Sequence[Array], holes: Sequence[Array], keys: Sequence[str]) -> list[Array]:
        todo = [i for i, where in enumerate(holes) if where.any()]
        layers = [_pad(np.dstack([images[i], holes[i].astype(np.uint8)]), self.multiple) for i in todo]
        owners = [keys[i] for i in todo]
        painted = in_batches(layers, self.batch_size, lambda batch, rows: self._paint(batch, [owners[r] for r in rows]))
        results = [image.copy() for image in images]
        for i, filled in zip(todo, painted, strict=True):
            height, width = holes[i].shape
            results[i] = compose(images[i], filled[:height, :width], holes[i])
        return results

    def _paint(self, batch: Array, keys: Sequence[str]) -> Array:
        """`batch` is uint8 `(batch_size, height, width, 4)`, RGB and hole (0 or 1); rows past `keys` are padding."""
        import torch

        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float()
        owners = [*keys, *[""] * (len(batch) - len(keys))]
        drawn = [noise_source(self.painting.seed, key) for key in owners]
        painted: Array = self.pipeline(
            image=pixels[:, :3] / 255,
            mask_image=pixels[:, 3:],
            height=batch.shape[1],
            width=batch.shape[2],
            num_inference_steps=self.painting.steps,
            guidance_scale=self.painting.guidance,
            strength=self.painting.strength,
            generator=drawn,
            latents=None if self.painting.noise == 1 else self._less_noise(batch, drawn),
            output_type="np",
            **self.prompts,
        ).images
        if not np.isfinite(painted[: len(keys)]).all():
            raise ValueError("inpainting gave values that are not finite; set `precision` to fp32")
        levels: Array = np.rint(painted * 255).astype(np.uint8)
        return levels

    def _less_noise(self, batch: Array, drawn: Sequence[torch.Generator]) -> torch.Tensor:
        import torch

        sides = [side // self.pipeline.vae_scale_factor for side in batch.shape[1:3]]
        shape = (self.pipeline.vae.config.latent_channels, *sides)
        whole = torch.stack([torch.randn(shape, generator=own) for own in drawn])
        return (self.painting.noise * whole).to(self.pipeline.device, self.pipeline.unet.dtype)

    def _encode_prompts(self) -> dict[str, torch.Tensor | None]:
        """The prompts' token states, encoded once and repeated for every row."""
        import torch

        with torch.inference_mode():
            positive, negative = self.pipeline.encode_prompt(
                self.painting.prompt,
                self.pipeline.device,
                num_images_per_prompt=self.batch_size,
                do_classifier_free_guidance=self.painting.guidance > 1,
                negative_prompt=self.painting.negative_prompt,
            )
        return {"prompt_embeds": positive, "negative_prompt_embeds": negative}


def noise_source(seed: int, key: str) -> torch.Generator:
    """A generator of noise that belongs to a record: seeded by the SHA-256 of (seed, key), on the CPU everywhere."""
    import torch

    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _load_pipeline(folder: Path, dtype: torch.dtype) -> Any:
    """The pipeline, its networks loaded one by one: left to itself it only warns of weights that are missing."""
    from diffusers import AutoencoderKL, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    # A folder may hold a pipeline with both of its U-Nets, as the tabletop family's does.
    own = "inpaint_unet" if (folder / "inpaint_unet").is_dir() else "unet"
    unet = load_network(UNet2DConditionModel, folder, subfolder=own, dtype=dtype)
    vae = load_network(AutoencoderKL, folder, subfolder="vae", dtype=dtype)
    text_encoder = load_network(CLIPTextModel, folder, subfolder="text_encoder", dtype=dtype)
    if unet.config.in_channels != 2 * vae.config.latent_channels + 1:
        raise ModelFolderError(
            f"the U-Net in {folder / own} takes {unet.config.in_channels} channels; one made for inpainting takes "
            "latents, mask and masked latents, 9 channels for Stable Diffusion: give a model such as sd15-inpaint"
        )
    parts = {"unet": unet, "vae": vae, "text_encoder": text_encoder, "safety_checker": None, "feature_extractor": None}
    pipeline = load(StableDiffusionInpaintPipeline, folder, requires_safety_checker=False, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _pad(layers: Array, multiple: int) -> Array:
    """Rows and columns added below and to the right, by reflection, up to a multiple of `multiple`."""
    height, width = layers.shape[:2]
    return cv2.copyMakeBorder(layers, 0, -height % multiple, 0, -width % multiple, cv2.BORDER_REFLECT_101)
