"""Which of two overlapping objects is in front (CnC, Fig. 10)."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.checks import alike, counted, finite, shaped, whole

NAME = "front accuracy"


def front_accuracy(labels: Tensor, overlap: Tensor, front: Tensor, behind: Tensor) -> Tensor:
    """1 where, of the pixels in which both objects were asked for, more show the front one, else 0, `(batch,)`.

    `labels` are the classes that a network sees, `(batch, height, width)`, `overlap` the pixels `(batch, height,
    width)`, `front` and `behind` classes `(batch,)`. Where neither is seen it is 0. The mean is 0 to 1; higher is
    better, and one half is chance only where one of the two is always seen. Raises Unmeasurable.
    """
    shaped(NAME, "(batch, height, width)", labels=labels, overlap=overlap)
    finite(NAME, overlap=overlap)
    whole(NAME, labels=labels, front=front, behind=behind)
    alike(NAME, labels=labels, overlap=overlap)
    alike(NAME, pictures=labels[:, 0, 0], front=front, behind=behind)
    inside = overlap.bool()
    counted(NAME, "pixels of both objects", inside.sum(dim=(1, 2)))
    ahead, hidden = (((labels == of[:, None, None]) & inside).sum(dim=(1, 2)) for of in (front, behind))
    return (ahead > hidden).float()
