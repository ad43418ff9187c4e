"""ViTPose and RT-DETR with tiny random weights: what they see means nothing, how they are run does."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.perception.skeleton import FEWEST_POINTS, describe
from sluice.preprocess.perception.vitpose import VitPose
from sluice.preprocess.record import Array

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def image() -> Array:
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


def _open(pose: Path, detector: Path, batch_size: int = 4) -> VitPose:
    return VitPose(pose, detector, CPU, torch.float32, batch_size, threshold=1e-6, box_threshold=0.0)


def test_boxes_are_of_people_within_the_image_and_the_surest_come_first(
    tiny_vitpose: Path, tiny_detector: Path, image: Array
) -> None:
    network = _open(tiny_vitpose, tiny_detector)
    boxes = network.boxes(image)
    network.person = 1
    cats = network.boxes(image)
    assert len(boxes) > 0
    assert len(boxes) + len(cats) == 20
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= [120.001, 90.001]).all()


def test_people_have_18_points_in_the_image(tiny_vitpose: Path, tiny_detector: Path, image: Array) -> None:
    people = _open(tiny_vitpose, tiny_detector)(image)
    assert people
    for person in people:
        assert person.points.shape == (18, 3)
        assert person.seen.sum() >= FEWEST_POINTS
        assert (person.points[:, :2] <= [119, 89]).all()


def test_padding_of_the_last_batch_changes_nobody(tiny_vitpose: Path, tiny_detector: Path, image: Array) -> None:
    network = _open(tiny_vitpose, tiny_detector, batch_size=3)
    assert len(network.boxes(image)) % 3, "the last batch is not full"
    whole = describe(network(image))
    boxes = network.boxes(image)
    network.boxes = lambda _: boxes[:3]  # type: ignore[method-assign]
    few = describe(network(image))
    assert all(person in whole["people"] for person in few["people"])


def test_the_middle_of_the_heat_map_is_the_middle_of_the_box(tiny_vitpose: Path, tiny_detector: Path) -> None:
    network = _open(tiny_vitpose, tiny_detector)
    box = np.array([[20.0, 10, 30, 40]])
    heats = np.zeros((1, 17, 16, 12), np.float32)
    y, x = np.mgrid[:16, :12]
    heats[:] = np.exp(-((x - 5.5) ** 2 + (y - 7.5) ** 2) / 4)
    (points,) = network._points(heats, box)
    np.testing.assert_allclose(points[:, :2], np.tile([35, 30], (17, 1)), atol=0.5)


def test_a_detector_that_knows_no_person_is_refused(tiny_vitpose: Path, tiny_detector: Path, tmp_path: Path) -> None:
    for file in tiny_detector.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"person"', '"robot"'))
    with pytest.raises(ModelFolderError, match="no class `person`, only cat, robot"):
        _open(tiny_vitpose, tmp_path)
