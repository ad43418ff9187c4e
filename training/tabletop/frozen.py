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

from sluice.infra.weights.pretrained import load, load_network
from sluice.training.tabletop.text_encoder import tokens_of


@dataclass(frozen=True)
class Frozen:
    """In float32, the image encoder where it is asked for; `digest` names the weights, and what is made by them."""

    autoencoder: Any
    tokenizer: Any
    text: Any
    image: Any
    digest: str

    @classmethod
    def load(cls, models: Path, pictures: bool = False) -> Frozen:
        """From the family's folder, with the image encoder or without."""
        kinds = {"vae": AutoencoderKL, "text_encoder": CLIPTextModelWithProjection}
        if pictures:
            kinds["image_encoder"] = CLIPVisionModelWithProjection
        digest = hashlib.sha256()
        for folder in (*kinds, "tokenizer"):
            for file in sorted((models / folder).iterdir()):
                digest.update(file.read_bytes())
        parts = {
            folder: load_network(kind, models, subfolder=folder, dtype=torch.float32).requires_grad_(False)
            for folder, kind in kinds.items()
        }
        tokenizer = load(CLIPTokenizer, models, subfolder="tokenizer")
        image = parts.get("image_encoder")
        return cls(parts["vae"], tokenizer, parts["text_encoder"], image, digest.hexdigest()[:16])

    def to(self, device: torch.device) -> Frozen:
        """On another device."""
        for part in (self.autoencoder, self.text, self.image):
            if part is not None:
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
