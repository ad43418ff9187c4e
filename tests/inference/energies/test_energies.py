"""Every energy: its gradient against differences, a number a sample, and nothing where a condition is met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.content import content_energy
from sluice.inference.energies.depth import depth_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.energy import Energy
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.latents import of_latents
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.style import Maps, style_energy
from sluice.inference.energies.text import text_energy
from sluice.preprocess.perception.judges import Judges, rows_of
from sluice.training.networks.latent_model import LatentModel
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
def maps() -> Maps:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1).double(), nn.Conv2d(6, 5, 3, stride=2).double()]
    for layer in layers:
        layer.requires_grad_(False)

    def seen(shown: Tensor) -> list[Tensor]:
        first = nn.functional.silu(layers[0](shown))
        return [first, layers[1](first)]

    return seen


@pytest.fixture
def energies(judges: Judges, encoder: Any, maps: Maps) -> dict[str, Energy]:
    """Each asks for what the pictures of seed 1 show."""
    shown = pictures(1)
    found = judges(shown)
    region = torch.zeros(2, SIZE, SIZE, dtype=torch.float64)
    region[:, 4:20, 6:16] = 1
    points = found.points("landmarks")
    wanted = torch.cat([points[..., :2], torch.ones_like(points[..., :1])], dim=2)
    return {
        "text": text_energy(encoder, encoder(shown).image_embeds),
        "identity": identity_energy(lambda x: encoder(x).image_embeds, encoder(shown).image_embeds),
        "parsing": parsing_energy(lambda x: judges(x).classes(), found.classes().argmax(dim=1)),
        "landmarks": landmarks_energy(lambda x: judges(x).points("landmarks"), wanted, SIZE),
        "depth": depth_energy(lambda x: judges(x).depth()[:, 0], found.depth()[:, 0]),
        "style": style_energy(maps, shown),
        "content": content_energy(maps, shown),
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
    energy = landmarks_energy(lambda x: judges(x).points("landmarks"), nothing, SIZE)
    assert energy(shown).tolist() == [0, 0]


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


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_leaves_the_range_that_an_energy_states(name: str, energies: dict[str, Energy]) -> None:
    far = [torch.full((2, 3, SIZE, SIZE), value, dtype=torch.float64) for value in (-1, 1)]
    found = torch.cat([energies[name](shown) for shown in (*far, pictures(4), -pictures(1))])
    assert (found >= 0).all()
    assert (found <= energies[name].highest).all()


def test_an_energy_says_its_range_and_what_it_wants(judges: Judges) -> None:
    nothing = torch.zeros(1, 5, 3)
    assert str(colour_energy(torch.ones(1, 8, 8), torch.zeros(3))) == "0 to 4, of pixels"
    assert str(landmarks_energy(lambda x: x, nothing, 8, Judges(judges.network, judges.rows, 4).wants)) == (
        "0 or more, of latents"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_says_the_same_range(name: str, energies: dict[str, Energy]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "composing.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`") and line.count("|") == 6]
    assert row.split("|")[3].strip() == str(energies[name]).partition(",")[0]


def test_what_wants_latents_is_not_decoded_for() -> None:
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).double().requires_grad_(False)
    model = LatentModel(None, None, None, vae, None)
    of_their_own = Energy(lambda x: x.flatten(1).mean(dim=1), wants="latents")
    assert of_latents(model, of_their_own) is of_their_own
    latents = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    colour = colour_energy(torch.ones(2, 8, 8), torch.zeros(3))
    through = of_latents(model, colour)
    assert str(through) == "0 to 4, of decoded latents"
    torch.testing.assert_close(through(latents), colour(vae.decode(latents / vae.config.scaling_factor).sample))
