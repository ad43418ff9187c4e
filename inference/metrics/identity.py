"""How far a face in a picture is from the one that was asked for."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.cosine import cosine

NAME = "identity distance"


def identity_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """`1 - cos` of a face network's embeddings `(batch, width)`, `(batch,)` (Z-Magic, Table 1).

    0 to 2; lower is better. A figure belongs to the network that it was taken with. Raises Unmeasurable.
    """
    return 1 - cosine(NAME, found=found, wanted=wanted)
