"""VGG-16, AlexNet and LPIPS: layout, numbers by hand, gradients, and that the published weights order blurs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.perception.vgg import ALEXNET, DEVIATION, MEAN, TRUNKS, VGG16, load_lpips, unit

WIDTHS = {"VGG16_0": (2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5), "AlexNet_0": (3, 4, 4, 5, 5)}


def write(folder: Path, name: str) -> Path:
    """Random weights under the published names."""
    torch.manual_seed(0)
    tensors, incoming = {}, 3
    for i, (layer, width) in enumerate(zip(TRUNKS[name], WIDTHS[name], strict=True)):
        tensors[f"{name}.Conv_{i}.kernel"] = 0.4 * torch.randn(layer.side, layer.side, incoming, width)
        tensors[f"{name}.Conv_{i}.bias"] = 0.1 * torch.randn(width)
        incoming = width
    seen = [width for layer, width in zip(TRUNKS[name], WIDTHS[name], strict=True) if layer.seen]
    tensors |= {f"NetLinLayer_{i}.Conv_0.kernel": torch.rand(1, 1, width, 1) for i, width in enumerate(seen)}
    save_file(tensors, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


@pytest.fixture(params=list(TRUNKS))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path, request.param)


def pictures(seed: int) -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def test_the_blocks_are_those_of_the_papers() -> None:
    assert [layer.seen for layer in VGG16].count(True) == 5
    assert [i for i, layer in enumerate(VGG16) if layer.pool] == [2, 4, 7, 10]
    assert [(layer.side, layer.stride, layer.pool) for layer in ALEXNET[:3]] == [(11, 4, 0), (5, 1, 3), (3, 1, 3)]


def test_features_have_the_sizes_of_the_blocks(tmp_path: Path) -> None:
    shown = torch.zeros(1, 3, 64, 64)
    for name, sides in {"VGG16_0": [64, 32, 16, 8, 4], "AlexNet_0": [15, 7, 3, 3, 3]}.items():
        assert [own.shape[2] for own in load_lpips(write(tmp_path, name)).trunk(shown)] == sides


def test_the_first_layer_is_that_of_the_file(file: Path) -> None:
    """At one place, by hand: Flax's kernels are height, width, in, out, and not turned."""
    network, (name, layers) = load_lpips(file), next(item for item in TRUNKS.items() if item[0] in file.stem)
    kernel, bias = (load_file(file)[f"{name}.Conv_0.{part}"].numpy() for part in ("kernel", "bias"))
    side, shown = layers[0].side, pictures(0)[:1].float()
    scaled = (shown[0].numpy() - np.array(MEAN)[:, None, None]) / np.array(DEVIATION)[:, None, None]
    start = layers[0].stride * 2 - (2 if side > 3 else 1)
    expected = np.einsum("chw,hwco->o", scaled[:, start : start + side, start : start + side], kernel) + bias
    found = network.trunk.convolutions[0](torch.from_numpy(scaled[None]).float())[0, :, 2, 2]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_distance_is_the_papers_formula_and_none_to_itself(file: Path) -> None:
    network = load_lpips(file).double()
    a, b = pictures(1), pictures(2)
    assert network(a, a).tolist() == [0, 0]
    expected = torch.zeros(2, dtype=torch.float64)
    for own, other, head in zip(network.trunk(a), network.trunk(b), network.heads, strict=True):
        for sample in range(2):
            difference = unit(own)[sample] - unit(other)[sample]
            places = torch.einsum("c,chw->hw", head, difference**2)
            expected[sample] += places.mean()
    torch.testing.assert_close(network(a, b), expected)
    torch.testing.assert_close(network(a, b), network(b, a))


def test_gradients_are_those_of_differences(file: Path) -> None:
    network, other, direction = load_lpips(file).double(), pictures(2), pictures(3)
    shown = pictures(1).requires_grad_()
    (gradient,) = torch.autograd.grad(network(shown, other).sum(), shown)
    step = 1e-6
    moved = [network(shown.detach() + sign * step * direction, other) for sign in (1, -1)]
    expected = (moved[0] - moved[1]) / (2 * step)
    torch.testing.assert_close((gradient * direction).flatten(1).sum(dim=1), expected, rtol=1e-5, atol=1e-8)


def test_the_gradient_at_the_wanted_picture_is_a_number(file: Path) -> None:
    network = load_lpips(file)
    black = torch.full((1, 3, 64, 64), -1.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(black, black.detach()).sum(), black)
    assert gradient.isfinite().all()


def test_another_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UnusableWeights, match=r"other\.safetensors' does not hold LPIPS's weights"):
        load_lpips(tmp_path / "other.safetensors")


@pytest.mark.weights
@pytest.mark.parametrize("name", ["lpips-vgg", "lpips-alex"])
def test_the_published_weights_order_blurs(name: str, real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    network = load_lpips(real_weights(name))
    image = cv2.resize(data.astronaut(), (128, 128), interpolation=cv2.INTER_AREA)
    blurred = [image, *[cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (0.7, 1.5, 3)]]
    shown = torch.from_numpy(np.stack(blurred)).permute(0, 3, 1, 2) / 127.5 - 1
    found = network(shown, shown[:1].expand(4, -1, -1, -1)).tolist()
    assert found == sorted(found)
    assert found[0] == 0
    assert 0.3 < found[3] < 0.9
