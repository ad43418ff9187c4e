"""How well a picture is what a text says, as CLIP sees both."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.cosine import cosine


def clip_similarity(images: Tensor, texts: Tensor) -> Tensor:
    """Cosine of embeddings of pictures and of their texts `(batch, width)`, by row, `(batch,)`.

    -1 to 1; higher is better. CLIPScore is 100 times its positive part (in Hessel et al., 2021: 2.5 times). A figure
    belongs to the CLIP that it was taken with. Raises Unmeasurable.
    """
    return cosine("CLIP similarity", images=images, texts=texts)


def clip_distance(images: Tensor, texts: Tensor) -> Tensor:
    """`1 - cos` of the same, `(batch,)`: what Z-Magic calls text distance (Tables 1 to 3). 0 to 2; lower is better."""
    return 1 - cosine("CLIP text distance", images=images, texts=texts)
