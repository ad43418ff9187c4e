"""Landmarks of faces: moved with the face, with gradients of differences, and in their places on a photograph."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.preprocess.perception.bisenet import REGIONS, load_bisenet
from sluice.preprocess.perception.face_landmarks import EYES_NOSE_MOUTH, FaceLandmarks
from sluice.preprocess.perception.faces import FaceFinder
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from tests.preprocess.face_files import tiny_landmarks

POINTS = torch.tensor(EYES_NOSE_MOUTH, dtype=torch.float64)[None] / 4
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = 159, 386, 195, 13
"""Of MediaPipe's 478: the upper lids' middles, the nose's bridge, the upper lip's inner middle."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> FaceLandmarks:
    return FaceLandmarks(tiny_landmarks(tmp_path_factory.mktemp("landmarks") / "tiny.task"))


def test_points_move_with_the_face(network: FaceLandmarks) -> None:
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    wide = torch.full((1, 3, 90, 80), -1, dtype=torch.float64)
    wide[:, :, 20:84, 10:74] = picture
    found, moved = (
        network.double().of_faces(*own) for own in ((picture, POINTS), (wide, POINTS + torch.tensor([10, 20])))
    )
    torch.testing.assert_close(moved, found + torch.tensor([10.0, 20.0]))


def test_gradients_are_those_of_differences(network: FaceLandmarks) -> None:
    network, generator = network.double(), torch.Generator().manual_seed(1)
    shown, direction = (torch.rand(2, 3, 60, 70, generator=generator, dtype=torch.float64) - 0.5 for _ in range(2))
    shown.requires_grad_()

    def total(pictures: torch.Tensor) -> torch.Tensor:
        return network.of_faces(pictures, POINTS.expand(2, -1, -1)).square().mean()

    (gradient,) = torch.autograd.grad(total(shown), shown)
    step = 1e-6
    moved = [total(shown.detach() + sign * step * direction) for sign in (1, -1)]
    torch.testing.assert_close((gradient * direction).sum(), (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_another_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.task", "w") as task:
        task.writestr("something", b"else")
    with pytest.raises(UnusableWeights, match=r"other\.task' is not MediaPipe's face landmarker: expected a zip with"):
        FaceLandmarks(tmp_path / "other.task")


@pytest.mark.weights
def test_a_photographed_face_has_its_points_where_parsing_has_its_parts(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    portrait = data.astronaut()[20:240, 110:330]
    points = FaceFinder(real_weights("yunet"))(portrait)
    shown = torch.from_numpy(portrait.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    found = FaceLandmarks(real_weights("face-landmarks")).of_faces(shown, torch.tensor(points)[None].float())[0]
    parts = load_bisenet(real_weights("face-parsing"))(shown)[0].argmax(dim=0).numpy()
    assert found.shape == (478, 2)
    for landmark, part in ((RIGHT_EYE, "right eye"), (LEFT_EYE, "left eye"), (NOSE, "nose"), (MOUTH, "upper lip")):
        middle = np.argwhere(parts == REGIONS.index(part)).mean(axis=0)[::-1]
        assert np.linalg.norm(found[landmark].numpy() - middle) < 10, part
