"""How often a picture shows the class that was asked for."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, finite, shaped, whole, within

NAME = "class accuracy"


def class_accuracy(logits: Tensor, wanted: Tensor, top: int = 1) -> Tensor:
    """1 where the wanted class `(batch,)` is among a classifier's `top` of `(batch, classes)`, else 0, `(batch,)`.

    The mean is the accuracy (Unite and Conquer, Table 3), 0 to 1; higher is better. Raises Unmeasurable.
    """
    shaped(NAME, "(batch, classes)", logits=logits)
    finite(NAME, logits=logits)
    whole(NAME, wanted=wanted)
    alike(NAME, pictures=logits[:, 0], wanted=wanted)
    within(NAME, 0, logits.shape[1] - 1, wanted=wanted)
    if not 1 <= top <= logits.shape[1]:
        raise Unmeasurable(f"{NAME}: top must be from 1 to the {logits.shape[1]} classes, not {top}")
    return (logits.topk(top, dim=1).indices == wanted[:, None]).any(dim=1).float()
