"""Holistically-nested edge detection (Xie and Tu, ICCV 2015): soft edges from five depths of a VGG-16 body."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

CONVOLUTIONS = (2, 2, 3, 3, 3)
STRIDE = 2 ** (len(CONVOLUTIONS) - 1)
MEAN_RGB = (122.67892, 116.66877, 104.00699)


class Hed(nn.Module):
    """Five blocks of 3 x 3 convolutions, each seen by a 1 x 1 side output; the fused side outputs are the edges.

    `widths` are the blocks' channels: (64, 128, 256, 512, 512) in the published network.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512, 512)) -> None:
        super().__init__()
        inputs = (3, *widths)
        self.blocks = nn.ModuleList(_block(*channels) for channels in zip(inputs, widths, CONVOLUTIONS, strict=False))
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)
        self.fuse = nn.Conv2d(len(widths), 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """BGR pixels minus their mean `(batch, 3, height, width)` to edge probabilities `(batch, height, width)`.

        Height and width are multiples of 16, so that a side output's pixel covers a whole square of the image's.
        """
        x = pixels
        sides = []
        for depth, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            x = block(F.max_pool2d(x, 2) if depth else x)
            sides.append(F.interpolate(side(x), size=pixels.shape[-2:], mode="bilinear", align_corners=False))
        fused = self.fuse(torch.cat(sides, dim=1))[:, 0]
        return torch.sigmoid(fused if fused.dtype == torch.float64 else fused.float())


def _block(incoming: int, width: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(convolutions):
        layers += [nn.Conv2d(width if i else incoming, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _convolution(file: Mapping[str, object], name: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a Keras convolution; Keras orders kernels height, width, in, out."""
    kernel, bias = (np.asarray(file[f"{name}/vars/{i}"], dtype=np.float32) for i in (0, 1))
    return torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()), torch.from_numpy(bias)


def _layers() -> dict[str, str]:
    """The name of every convolution in `Hed` -> its name in the Keras file."""
    names = {
        f"blocks.{block}.{2 * i}": f"block{block + 1}/layers/conv2d" + (f"_{i}" if i else "")
        for block, convolutions in enumerate(CONVOLUTIONS)
        for i in range(convolutions)
    }
    sides = {f"sides.{i}": f"dsn{i + 1}" for i in range(len(CONVOLUTIONS))}
    return {**names, **sides, "fuse": "fuse"}


def load_hed(path: Path, device: torch.device, dtype: torch.dtype) -> Hed:
    """HED with the weights of a Keras HDF5 file (`block1/layers/conv2d/vars/0`, ..., `dsn1`, ..., `fuse`).

    The blocks' widths are those of the file. Raises UnusableWeights where it is not such a file.
    """
    state = {}
    try:
        with h5py.File(path) as file:
            for ours, theirs in _layers().items():
                state[f"{ours}.weight"], state[f"{ours}.bias"] = _convolution(file, theirs)
    except (OSError, KeyError) as error:
        raise UnusableWeights(
            f"'{path}' does not hold HED weights: expected a Keras HDF5 file with the groups block1 to block5, dsn1 to "
            f"dsn5 and fuse ({error}); pull the model 'hed', or name another file in `stages.hed.model`"
        ) from error
    network = Hed(tuple(len(state[f"blocks.{block}.0.bias"]) for block in range(len(CONVOLUTIONS))))
    network.load_state_dict(state)
    return network.to(device, dtype).eval()


def edges(network: Hed, pixels: Tensor) -> Tensor:
    """RGB `(batch, 3, height, width)`, values 0 to 255, of any size to soft edges `(batch, height, width)`, 0 to 1.

    Right and lower borders are repeated up to a multiple of 16 and cropped from the result. Gradients flow.
    """
    weight = network.fuse.weight
    height, width = pixels.shape[2:]
    centred = (pixels - pixels.new_tensor(MEAN_RGB)[:, None, None]).flip(1)
    padded = F.pad(centred, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
    found: Tensor = network(padded.to(weight.dtype))
    return found[:, :height, :width]


@torch.inference_mode()
def soft_edges(network: Hed, images: Array) -> Array:
    """RGB uint8 `(batch, height, width, 3)` of any size to soft edges, uint8 `(batch, height, width)`, 0 to 255."""
    pixels = torch.tensor(images).to(network.fuse.weight.device).permute(0, 3, 1, 2).float()
    rounded: Array = (edges(network, pixels) * 255).round().to(torch.uint8).cpu().numpy()
    return rounded
