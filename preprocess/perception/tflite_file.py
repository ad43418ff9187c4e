"""TensorFlow Lite files as plain data: what is computed of which tensors, and the constants among these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

NAMES = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
NUMBERS = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
STRIDES = ("StrideH", "StrideW", "Padding", "FusedActivationFunction")
OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "ADD": (tflite.AddOptions, ("FusedActivationFunction",)),
    "CONV_2D": (tflite.Conv2DOptions, (*STRIDES, "DilationHFactor", "DilationWFactor")),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, (*STRIDES, "DilationHFactor", "DilationWFactor")),
    "MAX_POOL_2D": (tflite.Pool2DOptions, (*STRIDES, "FilterHeight", "FilterWidth")),
}
"""What operators are told, in the words of the format."""


@dataclass(frozen=True)
class Operation:
    """An operator by its name, what it is told, and the numbers of its tensors; -1 is one that is not given."""

    name: str
    options: Mapping[str, int]
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class TfliteFile:
    """What the first output is computed by, in order; half floats are made whole."""

    input: int
    output: int
    operations: tuple[Operation, ...]
    constants: Mapping[int, Array]


def read_tflite(data: bytes, origin: str) -> TfliteFile:
    """A network from its file's bytes. Raises UnusableWeights, naming `origin`, where they are none."""
    if data[4:8] != b"TFL3":
        raise UnusableWeights(f"{origin} is not a TensorFlow Lite network; delete it and pull the model again")
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    operations = [_operation(model, graph.Operators(number)) for number in range(graph.OperatorsLength())]
    output = graph.Outputs(0)
    needed = _needed(operations, output)
    used = {number for own in needed for number in own.inputs}
    found = {number: _constant(model, graph.Tensors(number)) for number in sorted(used - {-1})}
    constants = {number: value for number, value in found.items() if value is not None}
    return TfliteFile(graph.Inputs(0), output, needed, constants)


def _operation(model: Any, operator: Any) -> Operation:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Files from when there were fewer than 127 operators have the number in a byte of its own.
    name = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    options = {}
    if name in OPTIONS:
        kind, fields = OPTIONS[name]
        told, table = kind(), operator.BuiltinOptions()
        told.Init(table.Bytes, table.Pos)
        options = {field: getattr(told, field)() for field in fields}
    return Operation(name, options, tuple(operator.InputsAsNumpy().tolist()), operator.Outputs(0))


def _needed(operations: list[Operation], output: int) -> tuple[Operation, ...]:
    wanted, found = {output}, []
    for own in reversed(operations):
        if own.output in wanted:
            wanted |= set(own.inputs)
            found.append(own)
    return tuple(reversed(found))


def _constant(model: Any, tensor: Any) -> Array | None:
    buffer = model.Buffers(tensor.Buffer())
    if not buffer.DataLength():
        return None
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), NUMBERS[tensor.Type()])
    shaped: Array = values.reshape(tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else ())
    return shaped.astype(np.float32) if shaped.dtype == np.float16 else shaped
