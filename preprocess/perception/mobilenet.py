"""MobileNetV2 (Sandler et al., CVPR 2018): which of ImageNet's classes a picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sluice.preprocess.perception.unusable_weights import UnusableWeights

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESIZED, SIDE = 256, 224
CPU = torch.device("cpu")
BLOCKS = 17
STEM = 32
"""Channels of the first layer of the network of width 1."""


class MobileNet:
    """Called on pictures `(batch, 3, height, width)`, values -1 to 1, of any size: logits `(batch, classes)`.

    It sees the middle 224 of a picture whose shorter side is brought to 256. `path` is safetensors under torchvision's
    names. Raises UnusableWeights.
    """

    def __init__(self, path: Path, device: torch.device = CPU) -> None:
        try:
            state = load_file(path)
            self.network: Any = _network(len(state["features.0.0.weight"]) / STEM, len(state["classifier.1.bias"]))
            self.network.load_state_dict({ours: state[theirs] for ours, theirs in names()})
            self.network.to(device)
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise UnusableWeights(
                f"'{path}' does not hold MobileNetV2's weights: expected safetensors under torchvision's names, "
                f"features.0 to 18 and classifier.1 ({error}); pull the model 'mobilenet-v2'"
            ) from error

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(value, device=self.network.device)[:, None, None] for value in (MEAN, DEVIATION)
        )
        found: Tensor = self.network((_middle((pictures.to(mean) + 1) / 2) - mean) / deviation).logits
        return found


def _network(width: float, classes: int) -> Any:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(
        depth_multiplier=width, num_labels=classes, tf_padding=False, layer_norm_eps=1e-5, hidden_act="relu6"
    )
    return MobileNetV2ForImageClassification(config).eval().requires_grad_(False)


def _middle(pictures: Tensor) -> Tensor:
    scale = RESIZED / min(pictures.shape[2:])
    size = [round(scale * side) for side in pictures.shape[2:]]
    resized = F.interpolate(pictures, size, mode="bilinear", antialias=True).clamp(0, 1)
    top, left = ((side - SIDE) // 2 for side in size)
    return resized[:, :, top : top + SIDE, left : left + SIDE]


def names() -> Iterator[tuple[str, str]]:
    """Every tensor's name, transformers' and torchvision's."""
    for ours, theirs, norm in _layers():
        yield f"{ours}.convolution.weight", f"{theirs}.weight"
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            yield f"{ours}.normalization.{part}", f"{norm}.{part}"
    for part in ("weight", "bias"):
        yield f"classifier.{part}", f"classifier.1.{part}"


def _layers() -> Iterator[tuple[str, str, str]]:
    """A convolution's name, torchvision's, and that of the normalisation after it."""
    stem, first = "mobilenet_v2.conv_stem", "features.1.conv"
    yield f"{stem}.first_conv", "features.0.0", "features.0.1"
    yield f"{stem}.conv_3x3", f"{first}.0.0", f"{first}.0.1"
    yield f"{stem}.reduce_1x1", f"{first}.1", f"{first}.2"
    for block in range(2, BLOCKS + 1):
        ours, theirs = f"mobilenet_v2.layer.{block - 2}", f"features.{block}.conv"
        yield f"{ours}.expand_1x1", f"{theirs}.0.0", f"{theirs}.0.1"
        yield f"{ours}.conv_3x3", f"{theirs}.1.0", f"{theirs}.1.1"
        yield f"{ours}.reduce_1x1", f"{theirs}.2", f"{theirs}.3"
    yield "mobilenet_v2.conv_1x1", "features.18.0", "features.18.1"
