"""Face parsing: the published layout, gradients of first and second order, and a photographed face's regions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sluice.preprocess.perception.bisenet import REGIONS, BiSeNet, load_bisenet
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from tests.preprocess.face_files import tiny_bisenet


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bisenet(tmp_path_factory.mktemp("bisenet") / "tiny.safetensors")


@pytest.fixture(scope="module")
def network(path: Path) -> BiSeNet:
    return load_bisenet(path, size=96).double()


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_logits_are_of_the_pictures_size_and_each_its_own(network: BiSeNet) -> None:
    pictures = drawn(0, 2, 3, 24, 40)
    found = network(pictures)
    assert found.shape == (2, len(REGIONS), 24, 40)
    torch.testing.assert_close(network(pictures[1:]), found[1:])


def test_first_and_second_derivatives_are_those_of_differences(network: BiSeNet) -> None:
    shown, direction, weights = drawn(1, 1, 3, 24, 24), drawn(2, 1, 3, 24, 24), drawn(3, 1, len(REGIONS), 24, 24)

    def slope(pictures: Tensor) -> tuple[Tensor, Tensor]:
        total = (network(pictures).softmax(dim=1) * weights).sum()
        return total, torch.autograd.grad(total, pictures, create_graph=True)[0]

    shown.requires_grad_()
    _, gradient = slope(shown)
    (curved,) = torch.autograd.grad((gradient * direction).sum(), shown)
    step = 1e-6
    there, back = (slope((shown + sign * step * direction).detach().requires_grad_()) for sign in (1, -1))
    torch.testing.assert_close((gradient * direction).sum(), (there[0] - back[0]) / (2 * step), rtol=1e-4, atol=1e-8)
    assert (curved - (there[1] - back[1]) / (2 * step)).norm() < 1e-3 * curved.norm()


def test_heads_that_only_training_needs_are_left_and_any_other_name_is_refused(tmp_path: Path) -> None:
    state = BiSeNet(4).state_dict()
    save_file({**state, "conv_out16.conv_out.weight": torch.zeros(1)}, tmp_path / "more.safetensors")
    load_bisenet(tmp_path / "more.safetensors")
    for name, changed in (("other", {"a": torch.zeros(1)}), ("less", dict(list(state.items())[:-1]))):
        save_file(changed, tmp_path / f"{name}.safetensors")
        with pytest.raises(UnusableWeights, match=rf"{name}\.safetensors' does not hold BiSeNet's weights"):
            load_bisenet(tmp_path / f"{name}.safetensors")


@pytest.mark.weights
def test_the_published_weights_see_the_regions_of_a_portrait(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    portrait = data.astronaut()[20:240, 110:330]
    shown = torch.from_numpy(portrait.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    found = load_bisenet(real_weights("face-parsing"))(shown)[0].argmax(dim=0).numpy()
    seen = {region: np.argwhere(found == number).mean(axis=0) for number, region in enumerate(REGIONS)
            if (found == number).sum() > 50}  # fmt: skip
    assert seen.keys() >= {"background", "skin", "hair", "nose", "upper lip", "lower lip", "left eye", "right eye"}
    assert seen["hair"][0] < seen["left eye"][0] < seen["nose"][0] < seen["upper lip"][0] < seen["lower lip"][0]
    assert seen["right eye"][1] < seen["nose"][1] < seen["left eye"][1], "she looks at us"
    assert REGIONS[found[2, 2]] == "background"
