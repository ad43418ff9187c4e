"""Where a face is, by YuNet's five points, and the square around it that a network sees; gradients flow through."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.preprocess.perception.letterbox import letterbox
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

INPUT = 320
SURE = 0.6


class FaceFinder:
    """YuNet (Wu et al., 2023); called on an RGB uint8 image of any size, the five points of its surest face, or None.

    Points `(5, 2)`: x and y in pixels of the eyes, the nose's tip and the corners of the mouth, the left in the image
    first. Raises UnusableWeights.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.detector = cv2.FaceDetectorYN.create(str(path), "", (INPUT, INPUT), score_threshold=SURE)
        except cv2.error as error:
            raise UnusableWeights(f"'{path}' is not a YuNet that OpenCV can run; pull 'yunet', or name it") from error

    def __call__(self, image: Array) -> Array | None:
        square, scale = letterbox(image, INPUT, 0)
        _, found = self.detector.detect(cv2.cvtColor(square, cv2.COLOR_RGB2BGR))
        if found is None:
            return None
        surest = np.asarray(found[np.argmax(found[:, -1])])
        points: Array = (surest[4:14].reshape(5, 2) + 0.5) / scale - 0.5
        return points

    def in_each(self, pictures: Tensor, otherwise: Tensor) -> Tensor:
        """Points `(batch, 5, 2)` in pictures `(batch, 3, height, width)`, values -1 to 1; without a gradient.

        `otherwise` `(1 or batch, 5, 2)` stands where no face is seen, as in pictures that are yet to become one.
        """
        pixels = ((pictures.detach().float() + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()
        found = [self(picture) for picture in pixels.numpy()]
        return torch.stack(
            [
                own.to(pictures) if points is None else torch.from_numpy(points).to(pictures)
                for points, own in zip(found, otherwise.expand(len(found), -1, -1), strict=True)
            ]
        )


def placed(points: Tensor, wanted: Tensor) -> Tensor:
    """The similarities `(batch, 2, 3)` that take a square's coordinates to a picture's.

    The inverse of the one that brings `points` `(batch, n, 2)` nearest to `wanted` `(n, 2)` in squared distance.
    """
    centre, middle = points.mean(dim=1), wanted.mean(dim=0)
    p, w = points - centre[:, None], wanted - middle
    along = (p * w).sum(dim=(1, 2))
    across = (p[..., 0] * w[..., 1] - p[..., 1] * w[..., 0]).sum(dim=1)
    # As complex numbers the nearest similarity multiplies by (along + i across) / |p|^2, and this undoes it.
    share = p.square().sum(dim=(1, 2)) / (along.square() + across.square())
    turn = torch.stack([along, across, -across, along], dim=1).reshape(-1, 2, 2) * share[:, None, None]
    return torch.cat([turn, (centre - turn @ middle)[..., None]], dim=2)


def cropped(pictures: Tensor, places: Tensor, size: int) -> Tensor:
    """The squares `(batch, channels, size, size)` of pictures, by bilinear sampling; 0 outside."""
    axis = torch.arange(size, dtype=pictures.dtype, device=pictures.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    corners = torch.stack([x, y, torch.ones_like(x)], dim=2)
    at = torch.einsum("bij,hwj->bhwi", places, corners)
    sides = at.new_tensor([pictures.shape[3] - 1, pictures.shape[2] - 1])
    return F.grid_sample(pictures, 2 * at / sides - 1, mode="bilinear", align_corners=True)


def in_pictures(points: Tensor, places: Tensor) -> Tensor:
    """Points `(batch, n, 2)` of squares, in the pictures that these were cut from."""
    return points @ places[:, :, :2].mT + places[:, None, :, 2]
