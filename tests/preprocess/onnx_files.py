"""ONNX files written by hand, so that small real networks need no exporter: the few messages of onnx.proto they use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sluice.preprocess.record import Array

OPSET = 13
_FLOAT, _INT64 = 1, 7
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7


@dataclass(frozen=True)
class Node:
    """One operator: its type, names of inputs and outputs, attributes that are integers or lists of them."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)


def write_onnx(
    path: Path,
    input_shape: Sequence[int],
    nodes: Sequence[Node],
    constants: Mapping[str, Array],
    outputs: Mapping[str, Sequence[int]],
) -> Path:
    """A network from the float tensor `input` to `outputs` (name -> shape)."""
    graph = b"".join(_message(1, _node(node)) for node in nodes)
    graph += _message(2, b"graph")
    graph += b"".join(_message(5, _tensor(name, array)) for name, array in constants.items())
    graph += _message(11, _value("input", input_shape))
    graph += b"".join(_message(12, _value(name, shape)) for name, shape in outputs.items())
    opset = _message(1, b"") + _number(2, OPSET)
    path.write_bytes(_number(1, 8) + _message(7, graph) + _message(8, opset))
    return path


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _message(tag: int, data: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(data)) + data


def _node(node: Node) -> bytes:
    data = b"".join(_message(1, name.encode()) for name in node.inputs)
    data += b"".join(_message(2, name.encode()) for name in node.outputs)
    data += _message(4, node.operator.encode())
    for name, value in node.attributes.items():
        if isinstance(value, int):
            attribute = _message(1, name.encode()) + _number(3, value) + _number(20, _ATTRIBUTE_INT)
        else:
            integers = b"".join(_number(8, v) for v in value)
            attribute = _message(1, name.encode()) + integers + _number(20, _ATTRIBUTE_INTS)
        data += _message(5, attribute)
    return data


def _tensor(name: str, array: Array) -> bytes:
    kind, stored = (_INT64, "<i8") if array.dtype.kind == "i" else (_FLOAT, "<f4")
    dimensions = b"".join(_number(1, size) for size in array.shape)
    return dimensions + _number(2, kind) + _message(8, name.encode()) + _message(9, np.asarray(array, stored).tobytes())


def _value(name: str, shape: Sequence[int]) -> bytes:
    dimensions = b"".join(_message(1, _number(1, size)) for size in shape)
    tensor = _number(1, _FLOAT) + _message(2, dimensions)
    return _message(1, name.encode()) + _message(2, _message(1, tensor))
