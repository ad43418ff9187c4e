"""Text and image encoder, trained on each other: a caption is to point where its own picture does (CLIP)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from sluice.preprocess.tabletop.words import caption, vocabulary
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.scenes import pixels
from sluice.training.tabletop.vocabulary import TOKENS, make_tokenizer

WIDTH = 128
HEADS = 4
LONGEST = 40
"""Tokens of the longest caption. Training cuts there: nothing after a caption's end reaches its embedding."""
WORDINGS = 1000


class Encoders(Part):
    """Both encoders at once, by symmetric cross-entropy over a batch's captions and pictures."""

    name = "encoders"

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        return make_tokenizer([*vocabulary(), ",", ":"])

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        shared = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS}
        text = {
            "num_hidden_layers": 3,
            "vocab_size": len(self.tokenizer),
            "max_position_embeddings": TOKENS,
            "bos_token_id": self.tokenizer.bos_token_id,
            "eos_token_id": self.tokenizer.eos_token_id,
            "pad_token_id": self.tokenizer.pad_token_id,
        }
        vision = {"num_hidden_layers": 4, "image_size": self.scenes.size, "patch_size": 8}
        network: nn.Module = CLIPModel(
            CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=WIDTH)
        )
        return network

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, self.recipe.batch)
        wordings = [caption(self.scenes.scene(number), number % WORDINGS) for number in numbers]
        return {
            "pixels": pixels([self.scenes.render(number) for number in numbers]),
            "tokens": tokens_of(self.tokenizer, wordings)[:, :LONGEST],
        }

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:  # noqa: ARG002
        text = network.get_text_features(input_ids=batch["tokens"])
        image = network.get_image_features(pixel_values=batch["pixels"])
        # Not in bf16, in which a hundredth of a cosine, which is worth a whole logit, gets lost.
        with torch.autocast(batch["pixels"].device.type, enabled=False):
            similarity = F.normalize(_pooled(image).float(), dim=1) @ F.normalize(_pooled(text).float(), dim=1).T
            logits = network.logit_scale.exp().clamp(max=100) * similarity
        own = torch.arange(len(logits), device=logits.device)
        found = (logits.argmax(dim=1) == own).float().mean()
        return {"loss": (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, "found": found}

    def save(self, network: Any, models: Path) -> None:
        """Folders: tokenizer, text_encoder (with its projection), image_encoder, feature_extractor."""
        self.tokenizer.save_pretrained(models / "tokenizer")
        state = network.half().state_dict()
        for name, kind, config in (
            ("text_encoder", CLIPTextModelWithProjection, network.config.text_config),
            ("image_encoder", CLIPVisionModelWithProjection, network.config.vision_config),
        ):
            config.projection_dim = WIDTH
            part = kind(config)
            part.load_state_dict({key: state[key] for key in part.state_dict()})
            part.half().save_pretrained(models / name)
        processor = CLIPImageProcessorPil(
            size={"height": self.scenes.size, "width": self.scenes.size},
            do_center_crop=False,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        )
        for folder in ("image_encoder", "feature_extractor"):  # beside its network, and where a pipeline looks
            processor.save_pretrained(models / folder)


def tokens_of(tokenizer: Any, captions: list[str]) -> Tensor:
    """Captions as `(batch, 77)` int64, padded with the end token."""
    padded = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    tokens: Tensor = padded.input_ids
    return tokens


def _pooled(features: Any) -> Tensor:
    pooled: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return pooled
