"""TensorFlow Lite files written by hand, with the operators that MediaPipe's face landmarks have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from sluice.preprocess.record import Array

KINDS = {"f": {4: tflite.TensorType.FLOAT32, 2: tflite.TensorType.FLOAT16}, "i": {4: tflite.TensorType.INT32}}


@dataclass(frozen=True)
class Operator:
    """Its name, the names of inputs and output, the output's shape, the table of its options and what this says."""

    name: str
    inputs: Sequence[str]
    output: str
    shape: Sequence[int]
    options: str = ""
    told: Mapping[str, int] = field(default_factory=dict)


def tflite_of(shape: Sequence[int], operators: Sequence[Operator], constants: Mapping[str, Array]) -> bytes:
    """A network from the float tensor `input` to the last operator's output."""
    builder = flatbuffers.Builder(1024)
    names = ["input", *constants, *[own.output for own in operators]]
    buffers = [_buffer(builder, None), *[_buffer(builder, value) for value in constants.values()]]
    shapes = {"input": shape, **{own.output: own.shape for own in operators}}
    tensors = [_tensor(builder, name, constants, shapes, list(constants)) for name in names]
    written = [_operator(builder, own, number, names) for number, own in enumerate(operators)]
    parts = {
        "Tensors": _vector(builder, tflite.SubGraphStartTensorsVector, tensors),
        "Inputs": builder.CreateNumpyVector(np.array([0], np.int32)),
        "Outputs": builder.CreateNumpyVector(np.array([len(names) - 1], np.int32)),
        "Operators": _vector(builder, tflite.SubGraphStartOperatorsVector, written),
    }
    graph = _table(builder, "SubGraph", parts)
    codes = [_table(builder, "OperatorCode", _code(own.name)) for own in operators]
    model = _table(
        builder,
        "Model",
        {
            "Version": 3,
            "OperatorCodes": _vector(builder, tflite.ModelStartOperatorCodesVector, codes),
            "Subgraphs": _vector(builder, tflite.ModelStartSubgraphsVector, [graph]),
            "Buffers": _vector(builder, tflite.ModelStartBuffersVector, buffers),
        },
    )
    builder.Finish(model, b"TFL3")
    return bytes(builder.Output())


def _code(name: str) -> dict[str, int]:
    number = getattr(tflite.BuiltinOperator, name)
    return {"DeprecatedBuiltinCode": min(number, 127), "BuiltinCode": number}


def _buffer(builder: Any, value: Array | None) -> int:
    if value is None:
        return _table(builder, "Buffer", {})
    return _table(builder, "Buffer", {"Data": builder.CreateByteVector(value.tobytes())})


def _tensor(
    builder: Any,
    name: str,
    constants: Mapping[str, Array],
    shapes: Mapping[str, Sequence[int]],
    numbered: Sequence[str],
) -> int:
    constant = constants.get(name)
    sides = shapes[name] if constant is None else constant.shape
    kind = tflite.TensorType.FLOAT32 if constant is None else KINDS[constant.dtype.kind][constant.dtype.itemsize]
    parts = {
        "Shape": builder.CreateNumpyVector(np.array(sides, np.int32)),
        "Type": kind,
        "Buffer": 0 if constant is None else numbered.index(name) + 1,
        "Name": builder.CreateString(name),
    }
    return _table(builder, "Tensor", parts)


def _operator(builder: Any, own: Operator, number: int, names: Sequence[str]) -> int:
    parts = {
        "OpcodeIndex": number,
        "Inputs": builder.CreateNumpyVector(np.array([names.index(name) for name in own.inputs], np.int32)),
        "Outputs": builder.CreateNumpyVector(np.array([names.index(own.output)], np.int32)),
    }
    if own.options:
        parts["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, own.options)
        parts["BuiltinOptions"] = _table(builder, own.options, own.told)
    return _table(builder, "Operator", parts)


def _table(builder: Any, kind: str, parts: Mapping[str, int]) -> int:
    getattr(tflite, f"{kind}Start")(builder)
    for name, value in parts.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    written: int = getattr(tflite, f"{kind}End")(builder)
    return written


def _vector(builder: Any, start: Callable[[Any, int], None], offsets: Sequence[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    written: int = builder.EndVector()
    return written
