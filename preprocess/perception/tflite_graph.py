"""TensorFlow Lite networks as torch modules, operator by operator, so that gradients flow through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import tflite
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sluice.preprocess.perception.tflite_file import read_tflite
from sluice.preprocess.perception.unusable_weights import UnusableWeights

Options = Mapping[str, int]
ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {
    tflite.ActivationFunctionType.NONE: lambda x: x,
    tflite.ActivationFunctionType.RELU: F.relu,
    tflite.ActivationFunctionType.RELU6: F.relu6,
}


class TfliteGraph(nn.Module):
    """Called on its input `(batch, channels, height, width)` it returns its first output `(batch, channels, ...)`.

    Channels are first here, and last in the file. Any number type and batch, whatever the file says; frozen. Raises
    UnusableWeights, naming `origin`, where the bytes are no such network or have an operator that is not in OPERATORS.
    """

    def __init__(self, data: bytes, origin: str) -> None:
        super().__init__()
        self.file = read_tflite(data, origin)
        unknown = sorted({own.name for own in self.file.operations} - set(OPERATORS))
        if unknown:
            raise UnusableWeights(
                f"{origin} computes {', '.join(unknown)}, which is not among what gradients are known of: "
                f"{', '.join(sorted(OPERATORS))}; name another network"
            )
        for number, value in self.file.constants.items():
            self.register_buffer(f"constant_{number}", torch.tensor(value))

    def forward(self, shown: Tensor) -> Tensor:
        values = {number: self.get_buffer(f"constant_{number}") for number in self.file.constants}
        values[self.file.input] = shown
        for own in self.file.operations:
            inputs = [values[number] for number in own.inputs if number >= 0]
            values[own.output] = OPERATORS[own.name](own.options, *inputs)
        return values[self.file.output]


def _padded(own: Options, x: Tensor, sides: tuple[int, int], empty: float) -> Tensor:
    """As TensorFlow pads to keep the size: an odd row goes below, an odd column to the right."""
    if own["Padding"] == tflite.Padding.VALID:
        return x
    pads = []
    for size, side, stride in zip(x.shape[2:], sides, (own["StrideH"], own["StrideW"]), strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + side - size, 0)
        pads.append((total // 2, total - total // 2))
    return F.pad(x, (*pads[1], *pads[0]), value=empty)


def _convolved(own: Options, x: Tensor, kernels: Tensor, bias: Tensor, groups: int) -> Tensor:
    stride, dilation = (own["StrideH"], own["StrideW"]), (own["DilationHFactor"], own["DilationWFactor"])
    height, width = ((side - 1) * apart + 1 for side, apart in zip(kernels.shape[2:], dilation, strict=True))
    found = F.conv2d(_padded(own, x, (height, width), 0), kernels, bias, stride, 0, dilation, groups)
    return ACTIVATIONS[own["FusedActivationFunction"]](found)


def _convolution(own: Options, x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    return _convolved(own, x, kernels.permute(0, 3, 1, 2), bias, 1)


def _by_channel(own: Options, x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    return _convolved(own, x, kernels.permute(3, 0, 1, 2), bias, x.shape[1])


def _largest(own: Options, x: Tensor) -> Tensor:
    sides = own["FilterHeight"], own["FilterWidth"]
    found = F.max_pool2d(_padded(own, x, sides, -math.inf), sides, (own["StrideH"], own["StrideW"]))
    return ACTIVATIONS[own["FusedActivationFunction"]](found)


def _widened(_: Options, x: Tensor, pads: Tensor) -> Tensor:
    """By rows of before and after, of which the file has one for batch, height, width and channels each."""
    batch, height, width, channels = pads.tolist()
    return F.pad(x, (*width, *height, *channels, *batch))


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "ADD": lambda own, a, b: ACTIVATIONS[own["FusedActivationFunction"]](a + b),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _by_channel,
    "DEQUANTIZE": lambda _, x: x,
    "MAX_POOL_2D": _largest,
    "PAD": _widened,
    "PRELU": lambda _, x, slope: torch.where(x >= 0, x, slope.permute(2, 0, 1) * x),
}
"""What is known, as TensorFlow Lite computes it; of whole numbers only paddings."""
