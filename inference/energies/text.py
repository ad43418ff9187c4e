"""How far a picture is from a text, or from another picture, as CLIP sees both."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sluice.inference.energies.energy import Energy


def text_energy(image_encoder: Any, wanted: Tensor) -> Energy:
    """`1 - cos` of image embedding and `wanted` `(batch, width)` or `(1, width)`: 0 to 2.

    `image_encoder` is a CLIPVisionModelWithProjection for pictures of this size, values -1 to 1.
    """

    def energy(pictures: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(image_encoder(pictures).image_embeds, wanted)

    return Energy(energy, 2)
