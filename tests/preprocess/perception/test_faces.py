"""Faces: found, brought into a network's square, and embedded, with gradients of differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from sluice.preprocess.perception.faces import FaceFinder, cropped, in_pictures, placed
from sluice.preprocess.perception.sface import EYES_NOSE_MOUTH, Sface
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array
from tests.preprocess.face_files import FACE, tiny_sface, tiny_yunet

POINTS = torch.tensor(EYES_NOSE_MOUTH, dtype=torch.float64)


def similar(angle: float, scale: float, move: tuple[float, float]) -> Tensor:
    """The five points turned, scaled and moved."""
    sine, cosine = np.sin(angle), np.cos(angle)
    turn = scale * torch.tensor([[cosine, -sine], [sine, cosine]])
    return (POINTS @ turn.T + torch.tensor(move, dtype=torch.float64))[None]


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> FaceFinder:
    return FaceFinder(tiny_yunet(tmp_path_factory.mktemp("yunet") / "tiny.onnx"))


def with_face(row: int, column: int, height: int = 200, width: int = 200) -> Array:
    """A picture of `tiny_yunet`'s kind of face, in one of ten by ten cells of its longer side."""
    image, side = np.zeros((height, width, 3), np.uint8), max(height, width) // 10
    image[row * side : (row + 1) * side, column * side : (column + 1) * side, 0] = 255
    return image


@pytest.mark.parametrize(("height", "width"), [(200, 200), (400, 300), (50, 80)])
def test_points_are_in_pixels_of_images_of_any_size(finder: FaceFinder, height: int, width: int) -> None:
    points = finder(with_face(2, 3, height, width))
    side = max(height, width) / 10
    assert points is not None
    expected = (np.array(FACE) + np.array([3, 2])) * side - 0.5 + side / 64
    np.testing.assert_allclose(points, expected, atol=0.05)


def test_where_no_face_is_seen_the_others_points_stand(finder: FaceFinder) -> None:
    images = np.stack([with_face(2, 3), np.zeros((200, 200, 3), np.uint8), with_face(5, 5)])
    assert finder(images[1]) is None
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    found = finder.in_each(pictures, torch.ones(1, 5, 2))
    assert (found[1] == 1).all()
    np.testing.assert_allclose(found[2].numpy() - found[0].numpy(), np.tile([40, 60], (5, 1)), atol=1e-3)


def test_a_similarity_is_found_again() -> None:
    places = placed(similar(0.4, 2.5, (30, -12)), POINTS)
    torch.testing.assert_close(in_pictures(POINTS[None], places), similar(0.4, 2.5, (30, -12)))


def test_of_points_that_no_similarity_fits_the_nearest_is_taken() -> None:
    """Against least squares over the four numbers of a similarity from points to wanted."""
    points = similar(-0.7, 0.6, (5, 9)) + torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(0))
    x, y = points[0].T
    one, nothing = torch.ones_like(x), torch.zeros_like(x)
    rows = torch.cat([torch.stack([x, -y, one, nothing], 1), torch.stack([y, x, nothing, one], 1)])
    a, b, u, v = torch.linalg.lstsq(rows, POINTS.T.flatten()[:, None]).solution[:, 0]
    there = torch.stack([a * x - b * y + u, b * x + a * y + v], dim=1)
    torch.testing.assert_close(in_pictures(there[None], placed(points, POINTS)), points)


def test_a_square_is_the_picture_where_it_lies() -> None:
    picture = torch.arange(2 * 3 * 20 * 30, dtype=torch.float64).reshape(2, 3, 20, 30)
    places = torch.tensor([[[1, 0, 4], [0, 1, 7]], [[0, -1, 15], [1, 0, 2]]], dtype=torch.float64)
    found = cropped(picture, places, 8)
    torch.testing.assert_close(found[0], picture[0, :, 7:15, 4:12])
    torch.testing.assert_close(found[1], picture[1, :, 2:10, 8:16].flip(2).transpose(1, 2))
    assert (cropped(picture, places + 100, 8) == 0).all()


def test_gradients_flow_through_the_square(tmp_path: Path) -> None:
    network = Sface(tiny_sface(tmp_path / "tiny.onnx")).double()
    generator = torch.Generator().manual_seed(1)
    shown, direction = (torch.rand(1, 3, 90, 99, generator=generator, dtype=torch.float64) - 0.5 for _ in range(2))
    points = similar(0.2, 0.6, (10, 8))
    shown.requires_grad_()
    (gradient,) = torch.autograd.grad(network.of_faces(shown, points).square().sum(), shown)
    step = 1e-6
    moved = [network.of_faces(shown.detach() + sign * step * direction, points).square().sum() for sign in (1, -1)]
    torch.testing.assert_close((gradient * direction).sum(), (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    assert not gradient[:, :, :, 78:].any(), "beyond the face"


def test_another_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(UnusableWeights, match=r"broken\.onnx' is not a YuNet"):
        FaceFinder(tmp_path / "broken.onnx")


@pytest.mark.weights
def test_a_photographed_face_is_itself_and_no_other(real_weights: Callable[[str], Path]) -> None:
    """OpenCV's alignment and embedding are the reference; another crop of the same face is near, its mirror nearly."""
    from skimage import data

    finder, network = FaceFinder(real_weights("yunet")), Sface(real_weights("sface"))
    theirs = cv2.FaceRecognizerSF.create(str(real_weights("sface")), "")
    image = data.astronaut()
    points = finder(image)
    assert points is not None
    face = np.concatenate([np.zeros(4), points.ravel(), [1]]).astype(np.float32)[None]
    expected = theirs.feature(theirs.alignCrop(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), face))[0]

    def embedding(shown: Array) -> Array:
        where = finder(shown)
        assert where is not None
        pictures = torch.from_numpy(shown.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        found: Array = network.of_faces(pictures, torch.from_numpy(where)[None].float())[0].numpy()
        return found

    def cosine(a: Array, b: Array) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    own = embedding(image)
    assert cosine(own, expected) > 0.999
    assert cosine(own, embedding(cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA))) > 0.9
    assert cosine(own, embedding(image[:, ::-1])) > 0.6
