"""The U-Net: predicts the noise in a latent from the latent, the timestep and the caption."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.encoders import tokens_of
from sluice.training.tabletop.latents import Latents
from sluice.training.tabletop.recipe import Batch, Recipe
from sluice.training.tabletop.scenes import Scenes

NULL_SHARE = 0.1
MIN_SNR = 5.0


def sd_schedule() -> DDIMScheduler:
    """Stable Diffusion's schedule: betas linear in their square roots, 1,000 steps, epsilon."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def min_snr_weights(abar: Tensor) -> Tensor:
    """min(SNR, 5) / SNR, the weight of an epsilon loss (Hang et al., 2023, Sec. 3.4)."""
    snr = abar / (1 - abar)
    return snr.clamp(max=MIN_SNR) / snr


@dataclass
class Denoiser:
    """Trained on cached latents, a tenth of the captions null, by the noise loss with min-SNR weights."""

    scenes: Scenes
    recipe: Recipe
    cache: Path
    count: int
    name: ClassVar[str] = "unet"
    needs: ClassVar[tuple[str, ...]] = ("vae", "encoders")

    def prepare(self, models: Path, report: Callable[[str], None]) -> None:
        """Encode the scenes; what an autoencoder or a text encoder of other weights made is not taken for theirs."""
        weights = [models / name / "model.safetensors" for name in ("text_encoder",)]
        digest = hashlib.sha256()
        for file in (models / "vae" / "diffusion_pytorch_model.safetensors", *weights):
            digest.update(file.read_bytes())
        autoencoder = AutoencoderKL.from_pretrained(models / "vae").requires_grad_(False)
        text = CLIPTextModelWithProjection.from_pretrained(models / "text_encoder").requires_grad_(False).float()
        tokenizer = CLIPTokenizer.from_pretrained(models / "tokenizer")
        self.latents = Latents(self.scenes, self.count, self.cache / digest.hexdigest()[:16])
        self.latents.make(autoencoder, text, tokenizer, report)
        self.scaling = autoencoder.config.scaling_factor
        with torch.no_grad():
            self.null = text(tokens_of(tokenizer, [""])).last_hidden_state

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(32, 64, 96),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=128,
            attention_head_dim=4,
            norm_num_groups=16,
        )
        return network

    def batch(self, step: int) -> Batch:
        chosen = np.random.default_rng([self.latents.scenes.seed, step]).integers(
            self.latents.count, size=self.recipe.batch
        )
        return self.latents.batch(chosen.tolist())

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        mean = batch["mean"]
        clean = (mean + batch["deviation"] * draws.normal("posterior", mean.shape)) * self.scaling
        noise = draws.normal("noise", clean.shape)
        schedule = sd_schedule()
        steps = draws.integers("timestep", schedule.config.num_train_timesteps, (len(clean),))
        noisy = schedule.add_noise(clean, noise, steps)
        dropped = draws.uniform("null", (len(clean), 1, 1)) < NULL_SHARE
        states = torch.where(dropped, self.null.to(clean.device), batch["states"])
        predicted = network(noisy, steps, states).sample
        error = F.mse_loss(predicted, noise, reduction="none").mean(dim=(1, 2, 3))
        weights = min_snr_weights(schedule.alphas_cumprod.to(steps.device)[steps])
        return {"loss": (weights * error).mean(), "noise": error.mean()}

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
        sd_schedule().save_pretrained(models / "scheduler")
