"""Small networks of faces in the formats and layouts of the published ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import tflite
import torch
from safetensors.torch import save_file

from sluice.preprocess.perception.bisenet import BiSeNet
from sluice.preprocess.record import Array
from tests.preprocess.onnx_files import Node, write_onnx
from tests.preprocess.tflite_files import Operator, tflite_of


def tiny_sface(path: Path) -> Path:
    """SFace's input, output and operators, with two blocks: pixels `(1, 3, 112, 112)`, 0 to 255, to five numbers."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Array:
        return rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    constants = {"mean": np.array([127.5], np.float32), "factor": np.array([1 / 128], np.float32)}
    nodes = [Node("Sub", ["input", "mean"], ["centred"]), Node("Mul", ["centred", "factor"], ["x0"])]
    for block, (incoming, width, group) in enumerate(((3, 4, 1), (4, 4, 4))):
        names = [f"{part}{block}" for part in ("kernel", "scale", "shift", "kept", "spread", "slope")]
        kernel, scale, shift, kept, spread, slope = names
        constants |= {kernel: drawn(width, incoming // group, 3, 3), slope: 0.25 + 0 * drawn(width, 1, 1)}
        constants |= {name: rng.uniform(0.5, 1, width).astype(np.float32) for name in (scale, shift, kept, spread)}
        strides = {"pads": [1, 1, 1, 1], "strides": [4, 4], "group": group}
        nodes += [
            Node("Conv", [f"x{block}", kernel], [f"seen{block}"], strides),
            Node("BatchNormalization", [f"seen{block}", scale, shift, kept, spread], [f"normal{block}"]),
            Node("PRelu", [f"normal{block}", slope], [f"x{block + 1}"]),
        ]
    constants |= {"weight": drawn(5, 4 * 7 * 7), "bias": drawn(5)}
    constants |= {name: rng.uniform(0.5, 1, 5).astype(np.float32) for name in ("scale", "shift", "kept", "spread")}
    nodes += [
        Node("Dropout", ["x2"], ["left"]),
        Node("Flatten", ["left"], ["flat"]),
        Node("Gemm", ["flat", "weight", "bias"], ["linear"], {"transB": 1}),
        Node("BatchNormalization", ["linear", "scale", "shift", "kept", "spread"], ["embedding"]),
    ]
    return write_onnx(path, (1, 3, 112, 112), nodes, constants, {"embedding": (1, 5)})


FACE = ((0.25, 0.25), (0.75, 0.25), (0.5, 0.5), (0.3, 0.75), (0.7, 0.75))
"""Where the five points lie in a face of `tiny_yunet`, in shares of its square."""


def tiny_yunet(path: Path) -> Path:
    """A network with YuNet's input and outputs to which a red square of a tenth of the picture's side is a face."""
    nodes, constants, outputs = [], {}, {}

    def seen(name: str, stride: int, kernel: Array, bias: Array) -> None:
        cells, width = (320 // stride) ** 2, len(bias)
        constants.update({f"{name} kernel": kernel, f"{name} bias": bias})
        constants[f"{name} shape"] = np.array([1, cells, width])
        nodes.extend(
            [
                Node("Conv", ["input", f"{name} kernel", f"{name} bias"], [f"{name} map"], {"strides": [stride] * 2}),
                Node("Transpose", [f"{name} map"], [f"{name} last"], {"perm": [0, 2, 3, 1]}),
                Node("Reshape", [f"{name} last", f"{name} shape"], [name]),
            ]
        )
        outputs[name] = (1, cells, width)

    for stride in (8, 16, 32):
        nothing = np.zeros((1, 3, stride, stride), np.float32)
        red = nothing + np.array([-1, 0, 1], np.float32)[None, :, None, None] / (255 * stride**2)
        for name in ("cls", "obj"):
            seen(f"{name}_{stride}", stride, red if stride == 32 else nothing, np.zeros(1, np.float32))
        seen(f"bbox_{stride}", stride, nothing.repeat(4, axis=0), np.array([0.5, 0.5, 0, 0], np.float32))
        seen(f"kps_{stride}", stride, nothing.repeat(10, axis=0), np.array(FACE, np.float32).ravel())
    return write_onnx(path, (1, 3, 320, 320), nodes, constants, outputs)


def tiny_bisenet(path: Path) -> Path:
    """BiSeNet of a sixteenth of the published widths, random, its normalisations with moments of their own."""
    torch.manual_seed(0)
    network = BiSeNet(4)
    for name, kept in network.named_buffers():
        if name.endswith("running_var"):
            kept.uniform_(0.5, 1.5)
    save_file(network.state_dict(), path)
    return path


def landmarks_network() -> bytes:
    """A TensorFlow Lite network with the input and operators of MediaPipe's face landmarks, to three points."""
    rng = np.random.default_rng(0)
    same = {"Padding": tflite.Padding.SAME}
    whole = {"Padding": tflite.Padding.VALID, "StrideH": 1, "StrideW": 1}
    twice, by_four = {"StrideH": 2, "StrideW": 2}, {"StrideH": 4, "StrideW": 4}

    def drawn(*shape: int) -> Array:
        return rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    operators = [
        Operator("DEQUANTIZE", ["half"], "kernel", (4, 3, 3, 3), "DequantizeOptions"),
        Operator("CONV_2D", ["input", "kernel", "bias"], "x0", (1, 64, 64, 4), "Conv2DOptions", {**same, **by_four}),
        Operator("PRELU", ["x0", "slope"], "x1", (1, 64, 64, 4)),
        Operator("DEPTHWISE_CONV_2D", ["x1", "by channel", "bias"], "x2", (1, 64, 64, 4), "DepthwiseConv2DOptions",
                 {**same, "StrideH": 1, "StrideW": 1, "DepthMultiplier": 1}),
        Operator("ADD", ["x1", "x2"], "x3", (1, 64, 64, 4), "AddOptions"),
        Operator("MAX_POOL_2D", ["x3"], "x4", (1, 32, 32, 4), "Pool2DOptions",
                 {**same, **twice, "FilterHeight": 2, "FilterWidth": 2}),
        Operator("PAD", ["x4", "pads"], "x5", (1, 32, 32, 6), "PadOptions"),
        Operator("CONV_2D", ["x5", "wider", "wide bias"], "x6", (1, 8, 8, 6), "Conv2DOptions", {**same, **by_four}),
        Operator("CONV_2D", ["x6", "last", "last bias"], "points", (1, 1, 1, 9), "Conv2DOptions", whole),
    ]  # fmt: skip
    constants = {
        "half": drawn(4, 3, 3, 3).astype(np.float16),
        "bias": drawn(4),
        "slope": np.full((1, 1, 4), 0.25, np.float32),
        "by channel": drawn(1, 3, 3, 4),
        "pads": np.array([[0, 0], [0, 0], [0, 0], [0, 2]], np.int32),
        "wider": drawn(6, 4, 4, 6),
        "wide bias": drawn(6),
        "last": 40 * drawn(9, 8, 8, 6),
        "last bias": np.full(9, 128, np.float32),
    }
    return tflite_of((1, 256, 256, 3), operators, constants)


def tiny_landmarks(path: Path) -> Path:
    """The same in a `face_landmarker.task`."""
    with zipfile.ZipFile(path, "w") as task:
        task.writestr("face_landmarks_detector.tflite", landmarks_network())
    return path
