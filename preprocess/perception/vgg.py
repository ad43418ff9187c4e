"""VGG-16 and AlexNet up to their last convolution, and LPIPS over either (Zhang et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sluice.preprocess.perception.unusable_weights import UnusableWeights

MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's, of values -1 to 1, as LPIPS rounds them."""


@dataclass(frozen=True)
class Layer:
    """A convolution and its ReLU: side, stride, the side of the pooling before it; `seen` where a block ends."""

    side: int = 3
    stride: int = 1
    pool: int = 0
    seen: bool = False


VGG16 = tuple(
    Layer(pool=2 if block and not number else 0, seen=number == count - 1)
    for block, count in enumerate((2, 2, 3, 3, 3))
    for number in range(count)
)
ALEXNET = (Layer(11, 4, seen=True), Layer(5, pool=3, seen=True), Layer(pool=3, seen=True), *[Layer(seen=True)] * 2)
TRUNKS = {"VGG16_0": VGG16, "AlexNet_0": ALEXNET}
"""By their names in the published file."""


class Trunk(nn.Module):
    """Called on pictures `(batch, 3, height, width)`, values -1 to 1: features after each block's last ReLU.

    `widths` are the layers' channels.
    """

    def __init__(self, layers: Sequence[Layer], widths: Sequence[int]) -> None:
        super().__init__()
        self.layers, self.widths = tuple(layers), tuple(widths)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(incoming, width, layer.side, layer.stride, 2 if layer.side > 3 else 1)
            for layer, incoming, width in zip(layers, (3, *widths), widths, strict=False)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        mean, deviation = (pictures.new_tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
        x, found = (pictures - mean) / deviation, []
        for layer, convolution in zip(self.layers, self.convolutions, strict=True):
            x = F.relu(convolution(F.max_pool2d(x, layer.pool, 2) if layer.pool else x))
            if layer.seen:
                found.append(x)
        return found


class Lpips(nn.Module):
    """How far two pictures are apart to the eye, `(batch,)`: features of unit length, weighed by a head each block.

    0 for the same picture; otherwise above, rarely over 1.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        widths = [width for width, layer in zip(trunk.widths, trunk.layers, strict=True) if layer.seen]
        self.heads = nn.ParameterList(torch.ones(width) for width in widths)

    def forward(self, pictures: Tensor, others: Tensor) -> Tensor:
        layers = zip(self.trunk(pictures), self.trunk(others), self.heads, strict=True)
        return torch.stack([((unit(a) - unit(b)).square().mean(dim=(2, 3)) @ head) for a, b, head in layers]).sum(dim=0)


def unit(features: Tensor) -> Tensor:
    """Features `(batch, channels, height, width)` of length 1 at every place; none stay none."""
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-20).sqrt()


def load_lpips(path: Path) -> Lpips:
    """From safetensors under Flax's names (`VGG16_0.Conv_0.kernel`, ..., `NetLinLayer_4.Conv_0.kernel`), frozen.

    The widths are those of the file. Raises UnusableWeights where it is not such a file.
    """
    try:
        tensors = load_file(path)
        name = next(name for name in TRUNKS if f"{name}.Conv_0.kernel" in tensors)
        numbers = range(len(TRUNKS[name]))
        kernels = [tensors[f"{name}.Conv_{i}.kernel"].permute(3, 2, 0, 1) for i in numbers]  # height, width, in, out
        network = Lpips(Trunk(TRUNKS[name], [len(kernel) for kernel in kernels]))
        state = {f"trunk.convolutions.{i}.weight": kernel for i, kernel in enumerate(kernels)}
        state |= {f"trunk.convolutions.{i}.bias": tensors[f"{name}.Conv_{i}.bias"] for i in numbers}
        heads = range(len(network.heads))
        state |= {f"heads.{i}": tensors[f"NetLinLayer_{i}.Conv_0.kernel"].flatten() for i in heads}
        network.load_state_dict(state)
    except (OSError, SafetensorError, StopIteration, KeyError, RuntimeError) as error:
        raise UnusableWeights(
            f"'{path}' does not hold LPIPS's weights: expected VGG16_0.Conv_0 to 12 or AlexNet_0.Conv_0 "
            f"to 4, and NetLinLayer_0 to 4 ({error}); pull 'lpips-vgg' or 'lpips-alex'"
        ) from error
    return network.eval().requires_grad_(False)
