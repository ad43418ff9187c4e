"""MI-GAN (Sargsyan et al., 2023): a small inpainting network, as an ONNX file with its cropping built in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sluice.preprocess.perception.inpaint import compose
from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.perception.telea import inpaint
from sluice.preprocess.record import Array


class MiGan:
    """Called on RGB uint8 `(height, width, 3)` and a hole, bool `(height, width)`; returns the image with it filled.

    It works at 512 pixels whatever the image's size. It blends some of what lies under the hole into the rim, so
    that is first replaced (`telea`): nothing of the object gets through. Small holes it fills well; in large
    ones it paints nonsense, and like other feed-forward inpainters it leaves the object's silhouette: unfit for
    training data.
    """

    def __init__(self, weights: Path, cpus: int = 1, gpus: float = 0) -> None:
        self.session = OnnxNetwork(weights, cpus, gpus).session

    def __call__(self, image: Array, where: Array) -> Array:
        if not where.any():
            return image.copy()
        pixels = np.ascontiguousarray(inpaint(image, where).transpose(2, 0, 1)[None])
        keep = np.where(where, 0, 255).astype(np.uint8)[None, None]
        (painted,) = self.session.run(None, {"image": pixels, "mask": keep})
        return compose(image, painted[0].transpose(1, 2, 0), where)
