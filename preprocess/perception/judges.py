"""The judges of the tabletop family, read: classes, depth and points from one SegFormer's rows of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.infra.weights.pretrained import load_network

WINDOW = 2


@dataclass(frozen=True)
class Judgement:
    """Logits `(batch, rows, height, width)` by judge, at some part of the pictures' size `(height, width)`."""

    logits: dict[str, Tensor]
    size: tuple[int, int]

    def classes(self) -> Tensor:
        """Logits of the semantic classes `(batch, classes, height, width)`."""
        return self._enlarged("parser")

    def depth(self) -> Tensor:
        """Metres `(batch, 1, height, width)`."""
        return self._enlarged("depth")

    def points(self, judge: str) -> Tensor:
        """`pose` or `landmarks` as `(batch, points, 3)`: x and y in pixels, and how sure the judge is, 0 to 1."""
        heat = self.logits[judge]
        return read_points(heat, self.size[0] / heat.shape[2])

    def _enlarged(self, judge: str) -> Tensor:
        return F.interpolate(self.logits[judge], size=self.size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Judges:
    """A network and the rows that each judge has of its logits; its labels are `judge/label`."""

    network: Any
    rows: dict[str, slice]
    scale: int
    """Pixels of a picture for one of what the network takes: 1, or 4 where it takes latents."""

    @classmethod
    def load(cls, folder: Path, scale: int = 1) -> Judges:
        """From a folder of transformers' SegformerForSemanticSegmentation."""
        from transformers import SegformerForSemanticSegmentation

        network = load_network(SegformerForSemanticSegmentation, folder).float().requires_grad_(False)
        labels = network.config.id2label
        return cls(network, rows_of([labels[number] for number in range(len(labels))]), scale)

    @property
    def wants(self) -> Literal["pixels", "latents"]:
        """What the network takes."""
        return "pixels" if self.scale == 1 else "latents"

    def __call__(self, shown: Tensor) -> Judgement:
        """Of pictures `(batch, 3, height, width)`, values -1 to 1, or of latents; differentiable."""
        logits = self.network(shown).logits
        size = (self.scale * shown.shape[2], self.scale * shown.shape[3])
        return Judgement({judge: logits[:, rows] for judge, rows in self.rows.items()}, size)

    def features(self, pictures: Tensor) -> Tensor:
        """What the body makes of pictures, `(batch, width)`: for distances between sets of them."""
        found: Tensor = self.network.segformer(pictures).last_hidden_state.mean(dim=(2, 3))
        return found

    def maps(self, shown: Tensor, stage: int) -> Tensor:
        """What the body's first stage (0), or a later one, makes of it, `(batch, channels, height, width)`."""
        found: Tensor = self.network.segformer(shown, output_hidden_states=True).hidden_states[stage]
        return found


def rows_of(labels: Sequence[str]) -> dict[str, slice]:
    """Which rows belong to which judge, from labels `judge/label` in the rows' order."""
    judges = [label.partition("/")[0] for label in labels]
    return {judge: slice(judges.index(judge), judges.index(judge) + judges.count(judge)) for judge in judges}


def read_points(logits: Tensor, scale: float) -> Tensor:
    """Points `(batch, points, 3)`: x and y in pixels, and how sure the network is, 0 to 1.

    The place is the mean over five by five cells around the brightest, weighted by brightness.
    """
    heat = logits.sigmoid()
    height, width = heat.shape[2:]
    sure, at = heat.flatten(2).max(dim=2)
    row, column = at // width, at % width
    rows, columns = (torch.arange(n, device=heat.device, dtype=heat.dtype) for n in (height, width))
    near_row, near_column = (
        (axis - centre[..., None]).abs() <= WINDOW for axis, centre in ((rows, row), (columns, column))
    )
    near = heat * near_row[..., :, None] * near_column[..., None, :]
    total = near.sum(dim=(2, 3))
    y, x = (near.sum(dim=3) * rows).sum(dim=2) / total, (near.sum(dim=2) * columns).sum(dim=2) / total
    return torch.stack([(x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, sure], dim=2)
