"""Mean intersection over union of label maps."""

from __future__ import annotations

import torch
from torch import Tensor


class MeanIou:
    """Counts label maps as they come; classes that neither truth nor prediction ever holds do not count."""

    def __init__(self, classes: int) -> None:
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def add(self, predicted: Tensor, truth: Tensor) -> None:
        """Two maps `(..., height, width)` of class numbers."""
        classes = len(self.confusion)
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
