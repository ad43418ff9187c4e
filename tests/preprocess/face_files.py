"""Small networks of faces in the formats and layouts of the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from sluice.preprocess.perception.bisenet import BiSeNet
from sluice.preprocess.record import Array
from tests.preprocess.onnx_files import Node, write_onnx


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
