"""Energies by networks of photographs: gradients against differences, on small networks of the published layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sluice.inference.energies.content import content_energy
from sluice.inference.energies.edges import edges_energy
from sluice.inference.energies.energy import Energy
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.style import style_energy
from sluice.preprocess.perception import face_landmarks, sface
from sluice.preprocess.perception.bisenet import load_bisenet
from sluice.preprocess.perception.hed import Hed, edges
from sluice.preprocess.perception.vgg import VGG16, Trunk, unit
from tests.preprocess.face_files import tiny_bisenet, tiny_landmarks, tiny_sface

SIZE = 48
NAMES = ("identity", "parsing", "landmarks", "style", "content", "edges")


def pictures(seed: int) -> Tensor:
    drawn = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.clamp(-2, 2) / 2


def points(template: tuple[tuple[float, float], ...], size: int) -> Tensor:
    """Of a face that fills the picture."""
    return torch.tensor(template, dtype=torch.float64).expand(2, -1, -1) * (SIZE - 1) / (size - 1)


@pytest.fixture(scope="module")
def energies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Energy]:
    """Each asks for what the pictures of seed 1 show."""
    folder: Path = tmp_path_factory.mktemp("photographs")
    torch.manual_seed(0)
    trunk = Trunk(VGG16, (3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 6)).double().requires_grad_(False)
    hed = Hed((2, 3, 4, 5, 6)).requires_grad_(False)
    hed.fuse.weight *= 0.02  # or the sigmoid is full: HED's pixels reach 120
    hed = hed.double()
    parser = load_bisenet(tiny_bisenet(folder / "bisenet"), size=64).double()
    faces = sface.Sface(tiny_sface(folder / "sface.onnx")).double()
    marks = face_landmarks.FaceLandmarks(tiny_landmarks(folder / "landmarks.task")).double()
    shown = pictures(1)
    five, fives = points(sface.EYES_NOSE_MOUTH, sface.SIZE), points(face_landmarks.EYES_NOSE_MOUTH, face_landmarks.SIZE)
    found = marks.of_faces(shown, fives)
    return {
        "identity": identity_energy(lambda x: faces.of_faces(x, five), faces.of_faces(shown, five)),
        "parsing": parsing_energy(parser, parser(shown).argmax(dim=1)),
        "landmarks": landmarks_energy(
            lambda x: marks.of_faces(x, fives), torch.cat([found, torch.ones_like(found[..., :1])], dim=2), SIZE
        ),
        "style": style_energy(lambda x: trunk(x)[:4], shown),
        "content": content_energy(lambda x: [unit(layer) for layer in trunk(x)[2:4]], shown),
        "edges": edges_energy(edges(hed, (shown + 1) * 127.5), lambda x: edges(hed, (x + 1) * 127.5)),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_differences(name: str, energies: dict[str, Energy]) -> None:
    energy, shown, direction = energies[name], pictures(2).requires_grad_(), pictures(3)
    (gradient,) = torch.autograd.grad(energy(shown).sum(), shown)
    step = 1e-6
    moved = [energy(shown.detach() + sign * step * direction) for sign in (1, -1)]
    found = (gradient * direction).flatten(1).sum(dim=1)
    torch.testing.assert_close(found, (moved[0] - moved[1]) / (2 * step), rtol=1e-4, atol=1e-8)
    assert gradient[0].any()
    assert gradient[1].any()


@pytest.mark.parametrize("name", NAMES)
def test_the_second_derivative_is_that_of_differences(name: str, energies: dict[str, Energy]) -> None:
    """Z-Magic's exact curvature takes it."""
    energy, shown, direction = energies[name], pictures(2).requires_grad_(), pictures(3)

    def slope(at: Tensor) -> Tensor:
        return torch.autograd.grad(energy(at).sum(), at, create_graph=True)[0]

    (curved,) = torch.autograd.grad((slope(shown) * direction).sum(), shown)
    step = 1e-6
    moved = [slope((shown + sign * step * direction).detach().requires_grad_()).detach() for sign in (1, -1)]
    expected = (moved[0] - moved[1]) / (2 * step)
    assert (curved - expected).norm() < 1e-2 * expected.norm()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "parsing"])
def test_where_the_condition_is_met_there_is_no_energy(name: str, energies: dict[str, Energy]) -> None:
    met, other = energies[name](pictures(1)), energies[name](pictures(2))
    assert (met.abs() < 1e-5).all()
    assert (other > met).all()
    assert (other <= energies[name].highest).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_does_not_see_its_batch(name: str, energies: dict[str, Energy]) -> None:
    shown = pictures(2)
    swapped = torch.stack([shown[0], pictures(5)[1]])
    torch.testing.assert_close(energies[name](swapped)[0], energies[name](shown)[0])
