"""Every energy: its gradient against differences, a number a sample, and nothing where a condition is met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.content import content_energy
from sluice.inference.energies.depth import depth_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.pictures import Energy
from sluice.inference.energies.style import gram, style_energy
from sluice.inference.energies.text import text_energy
from sluice.preprocess.perception.judges import Judges, rows_of
from sluice.training.tabletop.judges import segformer

SIZE = 32


def pictures(seed: int, batch: int = 2) -> Tensor:
    drawn = torch.randn(batch, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return nn.functional.avg_pool2d(drawn, 3, 1, 1).clamp(-1, 1)


@pytest.fixture(scope="module")
def judges() -> Judges:
    torch.manual_seed(0)
    network: Any = segformer(channels=3, first_stride=2).double().eval().requires_grad_(False)
    labels = [network.config.id2label[number] for number in range(len(network.config.id2label))]
    return Judges(network, rows_of(labels), 1)


@pytest.fixture(scope="module")
def encoder() -> Any:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=SIZE, patch_size=8
    )
    return CLIPVisionModelWithProjection(config).double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def maps() -> Callable[[Tensor], Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 5, 3, stride=2)).double()
    network.requires_grad_(False)
    return lambda shown: network(shown)


@pytest.fixture
def energies(judges: Judges, encoder: Any, maps: Callable[[Tensor], Tensor]) -> dict[str, Energy]:
    """Each asks for what the pictures of seed 1 show."""
    shown = pictures(1)
    found = judges(shown)
    region = torch.zeros(2, SIZE, SIZE, dtype=torch.float64)
    region[:, 4:20, 6:16] = 1
    points = found.points("landmarks")
    return {
        "text": text_energy(encoder, encoder(shown).image_embeds),
        "identity": identity_energy(encoder, encoder(shown).image_embeds),
        "parsing": parsing_energy(judges, found.classes().argmax(dim=1)),
        "landmarks": landmarks_energy(judges, torch.cat([points[..., :2], torch.ones_like(points[..., :1])], dim=2)),
        "depth": depth_energy(judges, found.depth()[:, 0]),
        "style": style_energy(maps, gram(maps(shown))),
        "content": content_energy(maps, maps(shown)),
        "edges": edges_energy(soft_edges(shown)),
        "colour": colour_energy(region, torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)),
    }


NAMES = ("text", "identity", "parsing", "landmarks", "depth", "style", "content", "edges", "colour")


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_differences(name: str, energies: dict[str, Energy]) -> None:
    energy, shown, direction = energies[name], pictures(2).requires_grad_(), pictures(3)
    (gradient,) = torch.autograd.grad(energy(shown).sum(), shown)
    found = (gradient * direction).flatten(1).sum(dim=1)
    step = 1e-6
    moved = [energy(shown.detach() + sign * step * direction) for sign in (1, -1)]
    torch.testing.assert_close(found, (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    assert gradient.any()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"colour", "parsing"}])
def test_where_the_condition_is_met_there_is_no_energy(name: str, energies: dict[str, Energy]) -> None:
    met, other = energies[name](pictures(1)), energies[name](pictures(2))
    assert met.shape == (2,)
    assert (met.abs() < 1e-5).all()
    assert (other > met).all()


def test_a_region_of_the_wanted_colour_has_no_energy() -> None:
    region, wanted = torch.zeros(1, 8, 8), torch.tensor([0.5, -0.5, 0.0])
    region[:, 2:4] = 1
    shown = torch.ones(1, 3, 8, 8)
    shown[:, :, 2:4] = wanted.reshape(1, 3, 1, 1)
    energy = colour_energy(region, wanted)
    assert energy(shown).tolist() == [0]
    assert energy(-shown).item() > 0.3
    assert colour_energy(torch.zeros(1, 8, 8), wanted)(shown).tolist() == [0]


def test_points_out_of_sight_do_not_count(judges: Judges) -> None:
    shown = pictures(1)
    nothing = torch.zeros(2, 5, 3, dtype=torch.float64)
    assert landmarks_energy(judges, nothing)(shown).tolist() == [0, 0]


def test_a_straight_edge_is_an_edge_and_a_plain_picture_has_none() -> None:
    shown = torch.full((1, 3, 8, 8), -1.0)
    assert not soft_edges(shown).any()
    shown[:, :, :, 4:] = 1
    found = soft_edges(shown)[0]
    assert (found[:, 3:5] > 0.9).all()
    assert not found[:, :3].any()
    assert not found[:, 5:].any()


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_does_not_see_its_batch(name: str, energies: dict[str, Energy]) -> None:
    shown = pictures(2)
    swapped = torch.stack([shown[0], pictures(5)[1]])
    torch.testing.assert_close(energies[name](swapped)[0], energies[name](shown)[0])
