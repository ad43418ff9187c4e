"""Boxes of what a phrase names ("Grounding DINO", Liu et al. 2023), by transformers' network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch

SURE, SAME = 0.25, 0.8
"""A box has a score above the one, and no better one overlaps it by more than the other (COCO-MIG's evaluator)."""


class GroundingDino:
    """The network of a folder, called on an RGB uint8 image `(height, width, 3)` and a phrase.

    It returns boxes `(n, 4)`, left, top, right, bottom in pixels of the image, the surest first.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import AutoImageProcessor, AutoTokenizer, GroundingDinoForObjectDetection

        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.tokenizer: Any = load(AutoTokenizer, folder)
        self.network = load_network(GroundingDinoForObjectDetection, folder).to(device)
        self.device = device

    def __call__(self, image: Array, phrase: str) -> Array:
        import torch

        from sluice.preprocess.perception.nms import nms

        pixels = self.processor(images=image, input_data_format="channels_last", return_tensors="pt")
        words = self.tokenizer(f"{phrase.lower().rstrip('.')}.", return_tensors="pt")
        with torch.inference_mode():
            seen = self.network(**pixels.to(self.device), **words.to(self.device))
        scores = seen.logits[0].sigmoid().amax(dim=-1)
        boxes = _corners(seen.pred_boxes[0])[scores > SURE]
        kept = nms(boxes, scores[scores > SURE], SAME)
        height, width = image.shape[:2]
        return np.asarray(boxes[kept].double().cpu().numpy() * (width, height, width, height))


def _corners(boxes: torch.Tensor) -> torch.Tensor:
    """Centre and size `(n, 4)` as left, top, right, bottom."""
    import torch

    centre, size = boxes[:, :2], boxes[:, 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)
