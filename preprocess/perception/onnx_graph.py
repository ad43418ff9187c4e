"""ONNX networks as torch modules, node by node, so that gradients flow through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sluice.preprocess.perception.unusable_weights import UnusableWeights

Attributes = Mapping[str, Any]


class OnnxGraph(nn.Module):
    """Called on its first input `(batch, ...)` it returns its first output, as onnxruntime does; frozen.

    Any number type and batch, whatever the file says. Raises UnusableWeights where the file is no ONNX network, or has
    an operator that is not in OPERATORS.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = _graph(path)
        self.nodes = [(node.op_type, _attributes(node), list(node.input), node.output[0]) for node in graph.node]
        unknown = sorted({operator for operator, *_ in self.nodes} - set(OPERATORS))
        if unknown:
            raise UnusableWeights(
                f"'{path}' computes {', '.join(unknown)}, which is not among what gradients are known of: "
                f"{', '.join(sorted(OPERATORS))}; name another network"
            )
        self.names = {constant.name: f"constant_{i}" for i, constant in enumerate(graph.initializer)}
        for constant in graph.initializer:
            self.register_buffer(self.names[constant.name], torch.tensor(onnx.numpy_helper.to_array(constant)))
        self.input = next(value.name for value in graph.input if value.name not in self.names)
        self.output = graph.output[0].name

    def forward(self, shown: Tensor) -> Tensor:
        values = {self.input: shown} | {name: self.get_buffer(ours) for name, ours in self.names.items()}
        for operator, attributes, inputs, output in self.nodes:
            values[output] = OPERATORS[operator](attributes, *[values[name] for name in inputs])
        return values[self.output]


def _graph(path: Path) -> Any:
    try:
        onnx.checker.check_model(str(path))
    except (RuntimeError, onnx.checker.ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnusableWeights(
            f"'{path}' is not an ONNX network ({reason}); where it is the cache's, delete it and pull the model again"
        ) from error
    return onnx.load(path).graph


def _attributes(node: Any) -> dict[str, Any]:
    return {own.name: onnx.helper.get_attribute_value(own) for own in node.attribute}


def _convolution(own: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = own.get("pads", (0, 0, 0, 0))
    padded = F.pad(x, (left, right, top, bottom))
    stride, dilation = own.get("strides", (1, 1)), own.get("dilations", (1, 1))
    return F.conv2d(padded, weight, bias, stride, 0, dilation, own.get("group", 1))


def _normalised(own: Attributes, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """By kept moments, in elementary operations, which can be differentiated twice."""
    factor = scale / (variance + own.get("epsilon", 1e-5)).sqrt()
    along = (-1, *[1] * (x.dim() - 2))
    found: Tensor = x * factor.reshape(along) + (shift - mean * factor).reshape(along)
    return found


def _linear(own: Attributes, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    turned = weight.T if own.get("transB", 0) else weight
    found: Tensor = own.get("alpha", 1.0) * (x @ turned) + own.get("beta", 1.0) * bias
    return found


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b,
    "BatchNormalization": _normalised,
    "Conv": _convolution,
    "Dropout": lambda _, x: x,
    "Flatten": lambda own, x: x.flatten(own.get("axis", 1)),
    "Gemm": _linear,
    "Mul": lambda _, a, b: a * b,
    "PRelu": lambda _, x, slope: torch.where(x >= 0, x, slope * x),
    "Sub": lambda _, a, b: a - b,
}
"""What is known, of attributes and inputs, as onnxruntime computes it; no `auto_pad`, no turned first matrix."""
