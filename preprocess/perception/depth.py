"""Monocular depth by a network: DPT/MiDaS and Depth-Anything, which predict inverse depth up to scale and shift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sluice.infra.weights.pretrained import ModelFolderError, load, load_network
from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch

INVERSE_DEPTH = ("dpt", "depth_anything")
# The first fusion layer of DPT gets no residual: published checkpoints leave its residual branch out.
UNUSED_IN_DPT = r"fusion_stage\.layers\.0\.residual_layer1\."


class DepthNetwork:
    """A transformers depth estimator from a folder, called on RGB uint8 images `(height, width, 3)`.

    It returns one float32 map `(height, width)` an image: inverse depth, near is large, arbitrary scale and shift.
    Metric models (ZoeDepth, metric Depth-Anything, Depth Pro, GLPN) are refused with ModelFolderError: their depth
    grows away from the camera. A DPT tuned to metric depth does not say so in its configuration and cannot be told.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, batch_size: int = 1) -> None:
        from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation

        _require_inverse_depth(load(AutoConfig, folder), folder)
        # The PIL processor, also where torchvision is installed: the two round differently.
        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.network = load_network(AutoModelForDepthEstimation, folder, unused=UNUSED_IN_DPT, dtype=dtype).to(device)
        self.device, self.dtype, self.batch_size = device, dtype, batch_size

    def __call__(self, images: Sequence[Array]) -> list[Array]:
        prepared = [self._prepare(image) for image in images]
        maps = in_batches(prepared, self.batch_size, lambda batch, _: self._predict(batch))
        return [
            cv2.resize(inverse, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC)
            for inverse, image in zip(maps, images, strict=True)
        ]

    def _prepare(self, image: Array) -> Array:
        prepared: Array = self.processor(images=image, input_data_format="channels_last", return_tensors="np")
        return np.asarray(prepared["pixel_values"][0], np.float32)

    def _predict(self, batch: Array) -> Array:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(self.device, self.dtype)
            predicted: Array = self.network(pixel_values=pixels).predicted_depth.float().cpu().numpy()
        return predicted


def _require_inverse_depth(config: object, folder: Path) -> None:
    kind = getattr(config, "model_type", "unknown")
    metric = getattr(config, "depth_estimation_type", "relative") == "metric"
    if kind not in INVERSE_DEPTH or metric:
        raise ModelFolderError(
            f"{folder} holds a model of type '{kind}'{' for metric depth' if metric else ''}; depth is stored as "
            "inverse depth, near is large, so give a model that predicts it: a relative one of type "
            f"{' or '.join(INVERSE_DEPTH)}"
        )


def to_uint16(inverse_depth: Array) -> Array:
    """Inverse depth min-max normalised per image to uint16, 0 (farthest) to 65535 (nearest); a constant map is all 0.

    Raises ValueError where a value is not finite.
    """
    low, high = float(inverse_depth.min()), float(inverse_depth.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "the depth network gave values that are not finite; with half precision set `precision` to fp32, "
            "otherwise its weights are damaged"
        )
    if high == low:
        return np.zeros(inverse_depth.shape, np.uint16)
    scaled = (inverse_depth.astype(np.float64) - low) / (high - low)
    return np.rint(scaled * 65535).astype(np.uint16)
