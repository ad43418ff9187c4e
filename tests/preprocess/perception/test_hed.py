from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sluice.preprocess.perception.hed import Hed, edges, load_hed, soft_edges
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

CPU = torch.device("cpu")


def _pictures(count: int, height: int, width: int) -> Array:
    return np.random.default_rng(1).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def network(tiny_hed: Path) -> Hed:
    return load_hed(tiny_hed, CPU, torch.float32)


def test_widths_come_from_the_file(network: Hed) -> None:
    assert [side.in_channels for side in network.sides] == [2, 3, 4, 5, 6]  # type: ignore[union-attr]


def test_kernels_are_turned_from_keras_order(network: Hed, tiny_hed: Path) -> None:
    """A block's first convolution, computed by hand from the file at one pixel."""
    with h5py.File(tiny_hed) as file:
        kernel, bias = file["block1/layers/conv2d/vars/0"][...], file["block1/layers/conv2d/vars/1"][...]
    patch = np.random.default_rng(2).normal(size=(3, 3, 3)).astype(np.float32)
    expected = np.maximum(np.einsum("hwi,hwio->o", patch, kernel) + bias, 0)
    first = network.blocks[0][:2]  # type: ignore[index]
    found = first(torch.from_numpy(patch.transpose(2, 0, 1))[None])[0, :, 1, 1]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (50, 71), (16, 8), (8, 33)])
def test_any_size(network: Hed, size: tuple[int, int]) -> None:
    edges = soft_edges(network, _pictures(2, *size))
    assert edges.shape == (2, *size)
    assert edges.dtype == np.uint8
    assert len(np.unique(edges)) > 3


def test_an_image_cut_to_an_odd_size_keeps_its_edges_in_place(network: Hed) -> None:
    """Far from the cut the same pixels must give the same edges: no stretching of the coarse side outputs."""
    image = _pictures(1, 256, 256)
    whole, cut = soft_edges(network, image), soft_edges(network, image[:, :249, :241])
    difference = np.abs(whole[:, :64, :64].astype(int) - cut[:, :64, :64])
    assert difference.max() <= 1


def test_gradients_are_those_of_differences(tiny_hed: Path) -> None:
    network = load_hed(tiny_hed, CPU, torch.float64).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    pixels, direction = (255 * torch.rand(2, 3, 20, 24, generator=generator, dtype=torch.float64) for _ in range(2))
    pixels.requires_grad_()
    (gradient,) = torch.autograd.grad(edges(network, pixels).square().sum(), pixels)
    step = 1e-7
    moved = [edges(network, pixels.detach() + sign * step * direction).square().sum() for sign in (1, -1)]
    torch.testing.assert_close((gradient * direction).sum(), (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_a_neighbour_changes_nothing(network: Hed) -> None:
    a, b, c = _pictures(3, 48, 48)
    first = soft_edges(network, np.stack([a, b]))[0]
    np.testing.assert_array_equal(first, soft_edges(network, np.stack([a, c]))[0])
    np.testing.assert_array_equal(first, soft_edges(network, np.stack([c, a]))[1])


def test_bf16_is_close_to_fp32(network: Hed, tiny_hed: Path) -> None:
    image = _pictures(1, 32, 32)
    half = soft_edges(load_hed(tiny_hed, CPU, torch.bfloat16), image)
    assert np.abs(half.astype(int) - soft_edges(network, image)).mean() < 5


def test_another_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["block1/something"] = 1
    with pytest.raises(UnusableWeights, match=r"other\.h5' does not hold HED weights"):
        load_hed(path, CPU, torch.float32)
    path.write_bytes(b"not hdf5")
    with pytest.raises(UnusableWeights, match="does not hold HED weights"):
        load_hed(path, CPU, torch.float32)


@pytest.mark.weights
def test_the_published_network_sees_a_silhouette_and_not_its_texture(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    network = load_hed(real_weights("hed"), CPU, torch.float32)
    edges = soft_edges(network, data.coffee()[None, :, :400])[0]
    rim, table = edges[20:40, 210:300], edges[330:390, 20:80]
    assert rim.max() > 230
    assert table.mean() < 30
