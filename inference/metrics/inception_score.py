"""Inception score: whether pictures each show something, and together many things."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import enough, finite, shaped

NAME = "inception score"
SPLITS = 10
MINIMUM = 100


def inception_score(logits: Tensor, splits: int = SPLITS) -> Tensor:
    """`exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016) of a classifier's logits `(n, classes)`, a number a split.

    The mean is the score, 1 to the number of classes; higher is better. Rows are split in their order. The score
    belongs to its classifier: the Inception that ships in packages lacks its last layer, and figures by another network
    are none of the literature's. Raises Unmeasurable below 100 pictures.
    """
    shaped(NAME, "(n, classes)", logits=logits)
    enough(NAME, 1, splits=splits)
    enough(NAME, max(MINIMUM, splits), pictures=len(logits))
    finite(NAME, logits=logits)
    return torch.stack([_score(part) for part in logits.double().tensor_split(splits)])


def _score(logits: Tensor) -> Tensor:
    told = logits.log_softmax(dim=1)
    marginal = told.logsumexp(dim=0) - torch.tensor(len(told)).log()
    return (told.exp() * (told - marginal)).sum(dim=1).mean().exp()
