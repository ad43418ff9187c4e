"""Cosines of embeddings, by row."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sluice.inference.metrics.checks import alike, finite, shaped


def cosine(metric: str, **pair: Tensor) -> Tensor:
    """Of two named embeddings `(batch, width)`, `(batch,)`. Raises Unmeasurable in the name of a metric.

    What is not finite makes a cosine that is not: only then it is looked for.
    """
    shaped(metric, "(batch, width)", **pair)
    alike(metric, **pair)
    one, other = pair.values()
    found = F.cosine_similarity(one, other)
    if not found.numel() or not found.isfinite().all():
        finite(metric, **pair)
    return found
