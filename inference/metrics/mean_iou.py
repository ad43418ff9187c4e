"""Mean intersection over union of label maps."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, enough, shaped, whole, within

NAME = "mask IoU"
MOST_CLASSES = 4096
"""Every pair of classes has a count."""


class MeanIou:
    """Counts label maps as they come; classes that neither truth nor prediction ever holds do not count."""

    def __init__(self, classes: int, metric: str = NAME) -> None:
        if not isinstance(classes, int):
            raise Unmeasurable(f"{metric}: classes must be a whole number, not {classes}")
        enough(metric, 1, classes=classes)
        if classes > MOST_CLASSES:
            raise Unmeasurable(f"{metric} counts {MOST_CLASSES} classes at most, not {classes}: number those there are")
        self.metric = metric
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def add(self, predicted: Tensor, truth: Tensor) -> None:
        """Two maps `(..., height, width)` of class numbers. Raises Unmeasurable for mixed sizes and no classes."""
        classes = len(self.confusion)
        whole(self.metric, predicted=predicted, truth=truth)
        alike(self.metric, predicted=predicted, truth=truth)
        within(self.metric, 0, classes - 1, predicted=predicted, truth=truth)
        pairs = truth.flatten().long() * classes + predicted.flatten().long()
        self.confusion += torch.bincount(pairs.cpu(), minlength=classes**2).reshape(classes, classes)

    def by_class(self) -> Tensor:
        """Intersection over union of each class, NaN where it never was."""
        both = self.confusion.diagonal()
        either = self.confusion.sum(dim=0) + self.confusion.sum(dim=1) - both
        return both / either

    def mean(self) -> float:
        """The mean over classes."""
        return float(self.by_class().nanmean())

    def f1(self) -> float:
        """The mean over classes of F1 (Dice), `2 IoU / (1 + IoU)`."""
        iou = self.by_class()
        return float((2 * iou / (1 + iou)).nanmean())


def mask_iou(found: Tensor, wanted: Tensor, classes: int) -> Tensor:
    """Intersection over union of each picture, mean over the classes that it or its truth has, `(batch,)`.

    Of maps `(batch, height, width)` of class numbers (Unite and Conquer, Table 1). 0 to 1; higher is better. MeanIou
    counts over all pictures at once, which gives rare classes their weight. Raises Unmeasurable.
    """
    return torch.tensor([counts.mean() for counts in by_picture(NAME, found, wanted, classes)])


def by_picture(metric: str, found: Tensor, wanted: Tensor, classes: int) -> list[MeanIou]:
    """The counts of each pair of maps, for a metric of this name. Raises Unmeasurable."""
    shaped(metric, "(batch, height, width)", found=found, wanted=wanted)
    whole(metric, found=found, wanted=wanted)
    alike(metric, found=found, wanted=wanted)
    counts = [MeanIou(classes, metric) for _ in found]
    for one, pair in zip(counts, zip(found, wanted, strict=True), strict=True):
        one.add(*pair)
    return counts
