"""ONNX networks in torch: the numbers of onnxruntime, and gradients of differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.perception.onnx_graph import OnnxGraph
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from tests.preprocess.face_files import tiny_sface
from tests.preprocess.onnx_files import Node, write_onnx

SHAPE = (1, 3, 112, 112)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sface(tmp_path_factory.mktemp("sface") / "tiny.onnx")


def test_it_computes_what_onnxruntime_computes(path: Path) -> None:
    shown = np.random.default_rng(1).uniform(0, 255, SHAPE).astype(np.float32)
    (expected,) = OnnxNetwork(path)(shown)
    found = OnnxGraph(path)(torch.from_numpy(shown))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_differences(path: Path) -> None:
    network = OnnxGraph(path).double()
    generator = torch.Generator().manual_seed(0)
    shown, direction = (255 * torch.rand(2, *SHAPE[1:], generator=generator, dtype=torch.float64) for _ in range(2))
    weights = torch.randn(2, network(shown).shape[1], generator=generator, dtype=torch.float64)
    shown.requires_grad_()
    (gradient,) = torch.autograd.grad((network(shown) * weights).sum(), shown)
    step = 1e-7
    moved = [(network(shown.detach() + sign * step * direction) * weights).sum(dim=1) for sign in (1, -1)]
    found = (gradient * direction).flatten(1).sum(dim=1)
    torch.testing.assert_close(found, (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    assert gradient.any()


def test_a_batch_is_what_each_is_alone(path: Path) -> None:
    network, shown = OnnxGraph(path), 255 * torch.rand(3, *SHAPE[1:], generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(network(shown)[1:2], network(shown[1:2]))


def test_pads_may_differ_from_side_to_side(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    node = Node("Conv", ["input", "kernel"], ["seen"], {"pads": [0, 1, 2, 3], "strides": [2, 1], "dilations": [1, 2]})
    network = write_onnx(tmp_path / "n.onnx", (1, 3, 9, 9), [node], {"kernel": kernel}, {"seen": (1, 2, 5, 9)})
    shown = np.random.default_rng(1).normal(size=(1, 3, 9, 9)).astype(np.float32)
    found = OnnxGraph(network)(torch.from_numpy(shown))
    np.testing.assert_allclose(found.numpy(), OnnxNetwork(network)(shown)[0], rtol=1e-4, atol=1e-5)


def test_what_is_not_known_or_no_network_is_refused(tmp_path: Path) -> None:
    network = write_onnx(tmp_path / "t.onnx", (1, 3), [Node("Tan", ["input"], ["out"])], {}, {"out": (1, 3)})
    with pytest.raises(UnusableWeights, match=r"t\.onnx' computes Tan, which is not among"):
        OnnxGraph(network)
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(UnusableWeights, match=r"broken\.onnx' is not an ONNX network"):
        OnnxGraph(tmp_path / "broken.onnx")


@pytest.mark.weights
def test_the_published_embedding_is_that_of_onnxruntime(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    face = cv2.resize(data.astronaut()[60:180, 165:285], (112, 112))
    shown = np.ascontiguousarray(face.transpose(2, 0, 1)[None], np.float32)
    path = real_weights("sface")
    found = OnnxGraph(path)(torch.from_numpy(shown)).numpy()
    assert np.abs(found - OnnxNetwork(path)(shown)[0]).max() < 1e-4
