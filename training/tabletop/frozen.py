"""The trained parts through which denoisers see scenes: autoencoder, text encoder, image encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.training.tabletop.encoders import tokens_of

FOLDERS = ("vae", "text_encoder", "image_encoder")


@dataclass(frozen=True)
class Frozen:
    """All of them in float32; `digest` names their weights, and with them what was made through them."""

    autoencoder: Any
    tokenizer: Any
    text: Any
    image: Any
    digest: str

    @classmethod
    def load(cls, models: Path) -> Frozen:
        """From the family's folder."""
        digest = hashlib.sha256()
        for folder in (*FOLDERS, "tokenizer"):
            for file in sorted((models / folder).iterdir()):
                digest.update(file.read_bytes())
        autoencoder, text, image = (
            kind.from_pretrained(models / folder, local_files_only=True).float().requires_grad_(False)
            for kind, folder in zip(
                (AutoencoderKL, CLIPTextModelWithProjection, CLIPVisionModelWithProjection), FOLDERS, strict=True
            )
        )
        tokenizer = CLIPTokenizer.from_pretrained(models / "tokenizer", local_files_only=True)
        return cls(autoencoder, tokenizer, text, image, digest.hexdigest()[:16])

    def to(self, device: torch.device) -> Frozen:
        """On another device."""
        for part in (self.autoencoder, self.text, self.image):
            part.to(device)
        return self

    @torch.no_grad()
    def posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation `(batch, 4, h, w)` of the latents of pictures, as a U-Net sees them: of unit size."""
        found = self.autoencoder.encode(pictures.to(self.autoencoder.device)).latent_dist
        scaling = self.autoencoder.config.scaling_factor
        return found.mean * scaling, found.std * scaling

    @torch.no_grad()
    def states(self, captions: Sequence[str]) -> Tensor:
        """Text states `(batch, 77, width)`."""
        states: Tensor = self.text(self._tokens(captions)).last_hidden_state
        return states

    @torch.no_grad()
    def pooled(self, phrases: Sequence[str]) -> Tensor:
        """What the text encoder makes of whole phrases `(batch, width)`, before its projection."""
        pooled: Tensor = self.text.text_model(self._tokens(phrases)).pooler_output
        return pooled

    @torch.no_grad()
    def embeds(self, pictures: Tensor) -> Tensor:
        """Image embeddings `(batch, width)`."""
        embeds: Tensor = self.image(pictures.to(self.image.device)).image_embeds
        return embeds

    def _tokens(self, captions: Sequence[str]) -> Tensor:
        return tokens_of(self.tokenizer, list(captions)).to(self.text.device)
