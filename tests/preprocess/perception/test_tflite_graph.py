"""TensorFlow Lite networks in torch: numbers by hand and by its own interpreter, and gradients of differences."""

from __future__ import annotations

import numpy as np
import pytest
import tflite
import torch

from sluice.preprocess.perception.tflite_graph import TfliteGraph
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from tests.preprocess.face_files import landmarks_network
from tests.preprocess.tflite_files import Operator, tflite_of

BY_TFLITE = (562.3513, 632.6878, 276.8311, 142.3265, 70.4014, 225.8764, -21.4483, 125.8073, 194.2348)
"""What ai-edge-litert 2.3.0 computes of this network and picture."""


def test_it_computes_what_tensorflow_lite_computes() -> None:
    shown = np.random.default_rng(1).uniform(0, 1, (1, 256, 256, 3)).astype(np.float32)
    found = TfliteGraph(landmarks_network(), "it")(torch.from_numpy(shown).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found.ravel(), BY_TFLITE, rtol=0, atol=2e-3)


def test_gradients_are_those_of_differences() -> None:
    network = TfliteGraph(landmarks_network(), "it").double()
    generator = torch.Generator().manual_seed(0)
    shown, direction = (torch.rand(2, 3, 256, 256, generator=generator, dtype=torch.float64) for _ in range(2))
    shown.requires_grad_()
    (gradient,) = torch.autograd.grad(network(shown).square().sum(), shown)
    step = 1e-7
    moved = [network(shown.detach() + sign * step * direction).square().sum() for sign in (1, -1)]
    torch.testing.assert_close((gradient * direction).sum(), (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("size", "stride", "first"), [(6, 2, 0), (7, 2, -1), (5, 1, -1)])
def test_an_odd_row_of_padding_goes_below(size: int, stride: int, first: int) -> None:
    """A kernel that picks its upper left pixel tells where the window starts."""
    kernel = np.zeros((1, 3, 3, 1), np.float32)
    kernel[0, 0, 0, 0] = 1
    told = {"Padding": tflite.Padding.SAME, "StrideH": stride, "StrideW": stride}
    network = tflite_of(
        (1, size, size, 1),
        [Operator("CONV_2D", ["input", "kernel", "bias"], "seen", (), "Conv2DOptions", told)],
        {"kernel": kernel, "bias": np.zeros(1, np.float32)},
    )
    shown = torch.arange(1.0, size * size + 1).reshape(1, 1, size, size)
    (found,) = TfliteGraph(network, "it")(shown)[0]
    assert len(found) == -(-size // stride)
    assert found[0, 0] == (0 if first < 0 else shown[0, 0, first, first])
    assert found[1, 1] == shown[0, 0, first + stride, first + stride]


def test_what_is_not_known_or_no_network_is_refused() -> None:
    with pytest.raises(UnusableWeights, match="it computes TANH, which is not among"):
        TfliteGraph(tflite_of((1, 4, 4, 1), [Operator("TANH", ["input"], "out", (1, 4, 4, 1))], {}), "it")
    with pytest.raises(UnusableWeights, match="it is not a TensorFlow Lite network"):
        TfliteGraph(b"broken", "it")
