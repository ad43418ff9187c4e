"""The one mask of what a box holds ("Segment Anything", Kirillov et al. 2023, Sec. 3), of several in one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.preprocess.perception.automatic_masks import encode
from sluice.preprocess.record import Array

Box = Sequence[float]
"""Left, top, right, bottom in pixels of the image."""


def boxed(sam: Any, image: Array) -> Callable[[Box], Array]:
    """Of an RGB uint8 image `(height, width, 3)`: a box's mask `(height, width)`, that of the best predicted quality.

    The image is encoded with the first box.
    """
    size = image.shape[:2]
    side = sam.image_encoder.img_size
    seen = tuple(int(edge * side / max(size) + 0.5) for edge in size)

    @cache
    def embedding() -> Tensor:
        return encode(sam, [image], 1)

    @torch.inference_mode()
    def mask(box: Box) -> Array:
        scale = torch.tensor([seen[1] / size[1], seen[0] / size[0]] * 2, device=sam.device)
        corners = torch.tensor([list(box)], dtype=torch.float32, device=sam.device) * scale
        sparse, dense = sam.prompt_encoder(points=None, boxes=corners, masks=None)
        masks, quality = sam.mask_decoder(
            image_embeddings=embedding(),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
        best = masks[:, quality[0].argmax()][:, None]
        whole = sam.postprocess_masks(best, seen, size)
        return np.asarray((whole[0, 0] > sam.mask_threshold).cpu().numpy())

    return mask
