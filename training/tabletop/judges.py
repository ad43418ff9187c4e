"""The judges of pictures: classes, depth, a figure's points and a face's landmarks, at once, on one body.

One network answers what several energies ask, and one folder holds them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.plate import LANDMARKS
from sluice.preprocess.tabletop.render import Rendered
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.heatmaps import heatmap_loss, heatmaps
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.scenes import pixels

LABELS = {
    "parser": CLASSES,
    "depth": ("metres",),
    "pose": tuple(f"point {number}" for number in range(18)),
    "landmarks": LANDMARKS,
}
HEATMAPS = ("pose", "landmarks")
ROWS = [len(labels) for labels in LABELS.values()]


class Judges(Part):
    """Trained on pictures that are also blurred and noisy, as a generator's are."""

    name = "judges"
    share = 16

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return segformer(channels=3, first_stride=2)

    def batch(self, step: int) -> Batch:
        shown = [self.scenes.render(number) for number in self.scenes.of_step(step, self.recipe.batch)]
        return {"pixels": pixels(shown), **truths(shown)}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        return judged(network(roughened(batch["pixels"], draws)).logits, batch)


def segformer(channels: int, first_stride: int) -> nn.Module:
    """A small SegFormer with a row of its last layer for every label of every judge, named `judge/label`."""
    labels = [f"{judge}/{label}" for judge, labels in LABELS.items() for label in labels]
    network: nn.Module = SegformerForSemanticSegmentation(
        SegformerConfig(
            num_channels=channels,
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            depths=[1, 1, 2, 1],
            hidden_sizes=[32, 48, 80, 112],
            num_attention_heads=[1, 2, 4, 4],
            sr_ratios=[8, 4, 2, 1],
            patch_sizes=[5, 3, 3, 3],
            strides=[first_stride, 2, 2, 2],
            mlp_ratios=[2, 2, 2, 2],
            decoder_hidden_size=96,
            drop_path_rate=0.0,
            classifier_dropout_prob=0.0,
        )
    )
    return network


def truths(shown: Sequence[Rendered]) -> dict[str, Tensor]:
    """What a batch of scenes is to be judged as: classes, depth in metres, and the points of figures and plates."""
    return {
        "parser": torch.from_numpy(np.stack([s.semantic for s in shown]).astype(np.int64)),
        "depth": torch.from_numpy(np.stack([s.depth for s in shown])),
        "pose": _points([s.keypoints for s in shown], len(LABELS["pose"])),
        "landmarks": _points([s.landmarks for s in shown], len(LABELS["landmarks"])),
    }


def judged(logits: Tensor, truth: Batch) -> dict[str, Tensor]:
    """The sum of the judges' losses, and each, of logits `(batch, rows, height, width)` at any part of the size."""
    size = truth["depth"].shape[1:]
    scale = size[0] // logits.shape[2]
    parts = dict(zip(LABELS, torch.split(logits, ROWS, dim=1), strict=True))
    classes, depth = (
        F.interpolate(parts[name], size=size, mode="bilinear", align_corners=False) for name in ("parser", "depth")
    )
    losses = {
        "parser": F.cross_entropy(classes, truth["parser"]),
        "overlap": overlap_loss(classes, truth["parser"]),
        "depth": F.l1_loss(depth[:, 0], truth["depth"]),
    }
    for name in HEATMAPS:
        wanted = heatmaps(truth[name], (logits.shape[2], logits.shape[3]), scale)
        losses[name] = heatmap_loss(parts[name], wanted)
    return {"loss": torch.stack(list(losses.values())).sum(), **losses}


def overlap_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """One less the Dice overlap of each class in a batch: rare classes count as much as the wall (V-Net, Sec. 3)."""
    likely = logits.softmax(dim=1)
    true = F.one_hot(truth, logits.shape[1]).permute(0, 3, 1, 2).to(likely)
    shared, either = ((likely * true).sum(dim=(0, 2, 3)), (likely + true).sum(dim=(0, 2, 3)))
    there = true.sum(dim=(0, 2, 3)) > 0
    return (1 - 2 * shared[there] / either[there]).mean()


def roughened(pictures: Tensor, draws: Draws) -> Tensor:
    """Pictures `(batch, 3, height, width)` blurred here and there and with some noise: what a decoder makes of them."""
    softened = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = draws.uniform("blur", (len(pictures), 1, 1, 1)) * 0.8
    level = draws.uniform("level", (len(pictures), 1, 1, 1)) * 0.1
    return torch.lerp(pictures, softened, share) + level * draws.normal("noise", pictures.shape)


def _points(found: Sequence[np.ndarray], count: int) -> Tensor:
    """`(batch, count, 3)` x, y and 1 where in sight, of each scene's first figure or plate; zeros where it has none."""
    points = np.zeros((len(found), count, 3), np.float32)
    for row, own in zip(points, found, strict=True):
        if len(own):
            row[:] = own[0]
    return torch.from_numpy(points)
