from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.pose import Pose, PoseParameters


def _open(weights: Path, **parameters: object) -> Pose:
    stage = Pose(PoseParameters(model=str(weights), **parameters))
    stage.open(weights)
    return stage


def _check(record: Record) -> None:
    assert check_value(FIELDS["pose.png"], record["pose.png"], record["jpg"].shape[:2]) is None
    people = FIELDS["pose.json"].decode(record.encode("pose.json"))["people"]
    for person in people:
        assert [len(point) for point in person["points"]] == [3] * 18
    assert record["pose.png"].any() == bool(people)


def test_without_weights_it_says_what_is_missing() -> None:
    assert Pose.fallback is None
    with pytest.raises(ValueError, match="needs weights"):
        Pose(PoseParameters()).open(None)


def test_a_folder_of_onnx_files_is_dwpose(fixed_dwpose: Path, scene: Callable[..., Record]) -> None:
    record = scene(0, 240, 320)
    _open(fixed_dwpose)([record])
    _check(record)
    (person,) = record["pose.json"]["people"]
    assert person["score"] == pytest.approx(0.9)


def test_a_folder_of_transformers_is_vitpose(
    tiny_vitpose: Path, tiny_detector: Path, scene: Callable[..., Record]
) -> None:
    stage = _open(tiny_vitpose, detector=str(tiny_detector), batch_size=3, threshold=1e-6)
    stage.people.box_threshold = 0.0  # type: ignore[attr-defined]
    record = scene(0, 90, 120)
    stage([record])
    _check(record)
    assert record["pose.json"]["people"]


def test_the_default_detector_is_asked_for_by_name(tiny_vitpose: Path) -> None:
    with pytest.raises(Exception, match="rt-detr"):
        _open(tiny_vitpose)


@pytest.mark.weights
def test_a_file_is_openpose(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    astronaut = data.astronaut()
    records = [
        Record("0" * 16, values={"jpg": astronaut}),
        Record("1" * 16, values={"jpg": data.coffee()}),
        Record("2" * 16, values={"jpg": np.ascontiguousarray(cv2.resize(astronaut, (320, 320)))}),
    ]
    stage = _open(real_weights("openpose-thin"))
    for record in records:
        stage([record])
        _check(record)
    assert [len(record["pose.json"]["people"]) for record in records] == [1, 0, 1]
