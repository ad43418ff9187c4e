"""Small real networks in the file formats of the published ones, and what tests say when those are absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sluice.infra.errors import SluiceError
from sluice.infra.weights.models import find
from tests.preprocess.builds import BuiltVersion, build_here, config_here, write_photos
from tests.preprocess.hed_file import write_hed
from tests.preprocess.onnx_files import Node, write_onnx
from tests.preprocess.removals import Removable, copy_of, write_removable


@pytest.fixture(scope="session")
def real_weights() -> Callable[[str], Path]:
    """`real_weights(name)`: the published weights' path; skips the test, saying what to pull, where they are absent."""

    def path(name: str) -> Path:
        try:
            return find(name).path
        except SluiceError as error:
            pytest.skip(f"NOT TESTED with real weights: {error}")

    return path


@pytest.fixture(scope="session")
def tiny_hed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random HED weights of widths 2, 3, 4, 5, 6 in the Keras HDF5 layout of the published ones."""
    return write_hed(tmp_path_factory.mktemp("hed") / "tiny.weights.h5")


@pytest.fixture(scope="session")
def tiny_u2net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with U2-Net's input and output to which red is salient: sigmoid of 4 x (normalised red - 1)."""
    kernel = np.array([4, 0, 0], np.float32).reshape(1, 3, 1, 1)
    return write_onnx(
        tmp_path_factory.mktemp("u2net") / "tiny.onnx",
        (1, 3, 320, 320),
        [Node("Conv", ["input", "kernel", "bias"], ["red"]), Node("Sigmoid", ["red"], ["salience"])],
        {"kernel": kernel, "bias": np.array([-4], np.float32)},
        {"salience": (1, 1, 320, 320)},
    )


@pytest.fixture(scope="session")
def tiny_nsfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with open-nsfw's input and output: softmax of (0, mean of BGR minus mean, weighed towards red / 32)."""
    to_logits = np.array([[0, -1], [0, -1], [0, 1]], np.float32) / 32
    return write_onnx(
        tmp_path_factory.mktemp("nsfw") / "tiny.onnx",
        (1, 224, 224, 3),
        [
            Node("ReduceMean", ["input"], ["mean"], {"axes": [1, 2], "keepdims": 0}),
            Node("MatMul", ["mean", "weights"], ["logits"]),
            Node("Softmax", ["logits"], ["probabilities"], {"axis": 1}),
        ],
        {"weights": to_logits},
        {"probabilities": (1, 2)},
    )


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ViT classifier of 32 x 32 pixels with the labels normal, porn, hentai, as a transformers folder."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label={0: "normal", 1: "porn", 2: "hentai"},
        initializer_range=0.3,
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vitpose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViTPose of 64 x 48 pixels with COCO's 17 points."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    folder = tmp_path_factory.mktemp("vitpose")
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=[64, 48],
        patch_size=[16, 16],
        out_indices=[2],
    )
    VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17)).save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RT-DETR of 64 x 64 pixels that knows people and cats, with 20 boxes."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

    folder = tmp_path_factory.mktemp("rt-detr")
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 16, 16],
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        d_model=32,
        num_queries=20,
        decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        decoder_layers=1,
        id2label={0: "person", 1: "cat"},
        num_denoising=0,
    )
    RTDetrForObjectDetection(config).save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


# The box that the detector below finds: centre and size in its 640 x 640 pixels.
DETECTED = (200.0, 320.0, 96.0, 256.0)


@pytest.fixture(scope="session")
def fixed_dwpose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DWPose's two files, with outputs that do not depend on the image: one person in `DETECTED` (twice, and a car),
    the i-th of 133 points at (20 + i, 40 + 2 i) of the 288 x 384 crop with confidence 0.9."""
    folder = tmp_path_factory.mktemp("dwpose")
    cells = np.full((1, 8400, 85), -20, np.float32)
    cells[..., 4:] = 0
    x, y, width, height = DETECTED
    for row, (score, label) in {25 * 80 + 31: (0.9, 5), 25 * 80 + 32: (0.7, 5), 25 * 80 + 60: (0.9, 7)}.items():
        column, line = row % 80, row // 80
        cells[0, row, :4] = x / 8 - column, y / 8 - line, np.log(width / 8), np.log(height / 8)
        cells[0, row, 4], cells[0, row, label] = 1, score
    along_x, along_y = np.zeros((1, 133, 576), np.float32), np.zeros((1, 133, 768), np.float32)
    for i in range(133):
        along_x[0, i, 2 * (20 + i)], along_y[0, i, 2 * (40 + 2 * i)] = 0.9, 0.95
    _constant(folder / "yolox_l.onnx", (1, 3, 640, 640), {"output": cells})
    _constant(folder / "dw-ll_ucoco_384.onnx", (1, 3, 384, 288), {"simcc_x": along_x, "simcc_y": along_y})
    return folder


def _constant(path: Path, input_shape: tuple[int, ...], outputs: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    """A network that multiplies its input's mean by zero and adds constants."""
    nodes = [Node("ReduceMean", ["input"], ["mean"], {"keepdims": 0}), Node("Mul", ["mean", "zero"], ["nothing"])]
    nodes += [Node("Add", ["nothing", f"{name} value"], [name]) for name in outputs]
    constants = {f"{name} value": array for name, array in outputs.items()} | {"zero": np.zeros((), np.float32)}
    write_onnx(path, input_shape, nodes, constants, {name: array.shape for name, array in outputs.items()})


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., BuiltVersion]:
    """`built(**changes)`: the data set of `config_here(tmp_path, **changes)` on nine photos, built in this process.

    Call it again with other changes, or after changing `tmp_path / "photos"`, and it builds what is left.
    """
    write_photos(tmp_path / "photos")

    def make(retry: bool = False, prune: bool = False, limit: int | None = None, **changes: Any) -> BuiltVersion:
        return build_here(config_here(tmp_path, **changes), retry, prune, limit)

    return make


@pytest.fixture(scope="session")
def removable_once(tmp_path_factory: pytest.TempPathFactory) -> Removable:
    """Built once; not to be written to."""
    return write_removable(tmp_path_factory.mktemp("removable"))


@pytest.fixture
def removable(removable_once: Removable, tmp_path: Path) -> Removable:
    """A data set to take records out of, in `tmp_path / "out"`."""
    return copy_of(removable_once, tmp_path)
