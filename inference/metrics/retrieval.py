"""How often a picture finds its own caption, and a caption its own picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.inference.metrics.checks import alike, enough, finite, shaped

NAME = "retrieval"
MINIMUM = 2


def retrieval(images: Tensor, texts: Tensor) -> tuple[float, float]:
    """Recall at 1, picture to caption and caption to picture, of embeddings `(n, width)` that belong by row.

    0 to 1, by chance 1 / n: higher is better. Raises Unmeasurable below two pictures, and for NaN.
    """
    shaped(NAME, "(n, width)", images=images, texts=texts)
    enough(NAME, MINIMUM, pictures=len(images))
    alike(NAME, images=images, texts=texts)
    finite(NAME, images=images, texts=texts)
    similarity = F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T
    own = torch.arange(len(images), device=images.device)
    found = (similarity.argmax(dim=1) == own, similarity.argmax(dim=0) == own)
    return float(found[0].float().mean()), float(found[1].float().mean())
