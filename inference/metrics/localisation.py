"""How well each part of a picture is like the exemplar that was meant for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.inference.metrics.checks import alike, finite, pictured, shaped

NAME = "localisation similarity"
BLACK = -1.0


def localisation_similarity(
    embed: Callable[[Tensor], Tensor], pictures: Tensor, masks: Tensor, foreground: Tensor, background: Tensor
) -> Tensor:
    """Mean cosine of the embeddings of a picture's halves with those of their exemplars `(batch, width)`, `(batch,)`.

    Of pictures `(batch, 3, height, width)`, values -1 to 1, each half on black: that inside its mask `(batch, height,
    width)` and the rest (CnC, Sec. 4). -1 to 1; higher is better. Raises Unmeasurable.
    """
    return localisation_similarities(embed, pictures, masks, foreground, background).mean(dim=0)


def localisation_similarities(
    embed: Callable[[Tensor], Tensor], pictures: Tensor, masks: Tensor, foreground: Tensor, background: Tensor
) -> Tensor:
    """The same of either half on its own, the foreground's before the background's, `(2, batch)`."""
    pictured(NAME, pictures=pictures)
    shaped(NAME, "(batch, height, width)", masks=masks)
    shaped(NAME, "(batch, width)", foreground=foreground, background=background)
    finite(NAME, masks=masks, foreground=foreground, background=background)
    alike(NAME, pictures=pictures[:, 0], masks=masks)
    alike(NAME, foreground=foreground, background=background)
    alike(NAME, pictures=pictures[:, 0, 0, 0], exemplars=foreground[:, 0])
    inside = masks.bool()[:, None]
    halves = (embed(pictures.where(inside, BLACK)), foreground), (embed(pictures.where(~inside, BLACK)), background)
    return torch.stack([_similarity(*half) for half in halves])


def _similarity(seen: Tensor, wanted: Tensor) -> Tensor:
    alike(NAME, embeddings=seen, exemplars=wanted)
    finite(NAME, embeddings=seen)
    return F.cosine_similarity(seen, wanted)
