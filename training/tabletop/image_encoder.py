"""The image encoder: a picture is to point where its own caption does, whose encoder stays as it is (CLIP, LiT).

Zhai et al. (2022) lock one of the two towers; here it is the text's, so that whatever reads text states need not be
trained anew. The picture tells the caption's words, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.tabletop.words import caption
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Part, Report
from sluice.training.tabletop.scenes import pixels
from sluice.training.tabletop.text_encoder import (
    HEADS,
    LONGEST,
    WIDTH,
    WORDINGS,
    caption_tokenizer,
    telling_tokens,
    tokens_of,
    words_in,
    words_loss,
)

SCALE = 20.0
MOST = 100.0


class Taught(nn.Module):
    """The encoder, the temperature of its contrast, and the head that only its training needs."""

    def __init__(self, encoder: Any, tokens: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.words = nn.Linear(WIDTH, tokens)
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())


@dataclass
class ImageEncoder(Part):
    """By symmetric cross-entropy over a batch's captions and pictures, and by words."""

    text: Any = field(init=False)
    name = "image_encoder"
    beside = ("feature_extractor",)
    needs = ("text_encoder",)

    def prepare(self, models: Path, device: torch.device, report: Report) -> None:  # noqa: ARG002
        text = load_network(CLIPTextModelWithProjection, models, subfolder="text_encoder", dtype=torch.float32)
        self.text = text.to(device).requires_grad_(False)

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        return caption_tokenizer()

    @cached_property
    def telling(self) -> Tensor:
        return telling_tokens(self.tokenizer)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        config = CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_attention_heads=HEADS,
            num_hidden_layers=4,
            projection_dim=WIDTH,
            image_size=self.scenes.size,
            patch_size=8,
        )
        return Taught(CLIPVisionModelWithProjection(config), len(self.tokenizer))

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, self.recipe.batch)
        wordings = [caption(self.scenes.scene(number), number % WORDINGS) for number in numbers]
        return {
            "pixels": pixels([self.scenes.render(number) for number in numbers]),
            "tokens": tokens_of(self.tokenizer, wordings)[:, :LONGEST],
        }

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:  # noqa: ARG002
        tokens = batch["tokens"]
        with torch.no_grad():
            told = self.text(input_ids=tokens).text_embeds
        shown = network.encoder(pixel_values=batch["pixels"]).image_embeds
        words = words_loss(network.words, shown, words_in(tokens, self.telling.to(tokens.device)))
        # Not in bf16, in which a hundredth of a cosine, which is worth a whole logit, gets lost.
        with torch.autocast(tokens.device.type, enabled=False):
            similarity = F.normalize(shown.float(), dim=1) @ F.normalize(told.float(), dim=1).T
            logits = network.log_scale.exp().clamp(max=MOST) * similarity
        own = torch.arange(len(logits), device=logits.device)
        contrast = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        found = (logits.argmax(dim=1) == own).float().mean()
        return {"loss": contrast + words, "contrast": contrast, "words": words, "found": found}

    def save(self, network: Any, models: Path) -> None:
        """With its processor beside it, and where a pipeline looks for it, in `feature_extractor`."""
        network.encoder.half().save_pretrained(models / self.name)
        processor = CLIPImageProcessorPil(
            size={"height": self.scenes.size, "width": self.scenes.size},
            do_center_crop=False,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        )
        for folder in (self.name, "feature_extractor"):
            processor.save_pretrained(models / folder)
