"""The parser: which class every pixel is of, transformers' SegFormer with a finer first stride."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from sluice.preprocess.tabletop.classes import CLASSES
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Recipe
from sluice.training.tabletop.scenes import Scenes, pixels


@dataclass
class Parser:
    """Trained by cross-entropy on pictures that are also blurred and noisy, as a generator's are."""

    scenes: Scenes
    recipe: Recipe
    name: ClassVar[str] = "parser"
    needs: ClassVar[tuple[str, ...]] = ()

    def prepare(self, models: Path, report: Callable[[str], None]) -> None:
        """Scenes are rendered as they are needed."""

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = SegformerForSemanticSegmentation(
            SegformerConfig(
                depths=[1, 1, 2, 1],
                hidden_sizes=[32, 48, 80, 112],
                num_attention_heads=[1, 2, 4, 4],
                sr_ratios=[8, 4, 2, 1],
                patch_sizes=[5, 3, 3, 3],
                strides=[2, 2, 2, 2],
                mlp_ratios=[2, 2, 2, 2],
                decoder_hidden_size=96,
                drop_path_rate=0.0,
                classifier_dropout_prob=0.0,
                id2label=dict(enumerate(CLASSES)),
                label2id={name: number for number, name in enumerate(CLASSES)},
            )
        )
        return network

    def batch(self, step: int) -> Batch:
        pictures = [self.scenes.render(number) for number in self.scenes.of_step(step, self.recipe.batch)]
        classes = np.stack([picture.semantic for picture in pictures]).astype(np.int64)
        return {"pixels": pixels(pictures), "classes": torch.from_numpy(classes)}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        logits = network(roughened(batch["pixels"], draws)).logits
        logits = F.interpolate(logits, size=batch["classes"].shape[1:], mode="bilinear", align_corners=False)
        right = (logits.argmax(dim=1) == batch["classes"]).float().mean()
        return {"loss": F.cross_entropy(logits, batch["classes"]), "right": right}

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)


def roughened(pictures: Tensor, draws: Draws) -> Tensor:
    """Pictures `(batch, 3, height, width)` blurred here and there and with some noise: what a decoder makes of them."""
    softened = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = draws.uniform("blur", (len(pictures), 1, 1, 1)) * 0.8
    level = draws.uniform("level", (len(pictures), 1, 1, 1)) * 0.1
    return torch.lerp(pictures, softened, share) + level * draws.normal("noise", pictures.shape)
