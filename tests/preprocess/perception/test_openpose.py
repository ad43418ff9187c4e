from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sluice.preprocess.perception.openpose import OpenPose
from sluice.preprocess.perception.skeleton import POINTS, describe
from sluice.preprocess.perception.unusable_weights import UnusableWeights


def test_another_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(b"no graph at all")
    with pytest.raises(UnusableWeights, match=r"graph\.pb' is not a TensorFlow graph"):
        OpenPose(path)


@pytest.fixture(scope="module")
def openpose(real_weights: Callable[[str], Path]) -> OpenPose:
    return OpenPose(real_weights("openpose-thin"))


@pytest.mark.weights
def test_the_astronauts_face_and_shoulders(openpose: OpenPose) -> None:
    from skimage import data

    (person,) = openpose(data.astronaut())
    places = dict(zip(POINTS, person.points, strict=True))
    for name, (x, y) in {
        "nose": (226, 122),
        "right eye": (205, 102),
        "left eye": (247, 102),
        "neck": (208, 220),
    }.items():
        assert places[name][:2] == pytest.approx((x, y), abs=18), name
    assert places["right shoulder"][0] < places["neck"][0] < places["left shoulder"][0]
    assert not person.seen[[8, 9, 10, 11, 12, 13]].any()


@pytest.mark.weights
def test_points_follow_the_image_into_any_frame(openpose: OpenPose) -> None:
    """Wide, tall and enlarged: the letter-box must give pixels of the image that it was given."""
    from skimage import data

    astronaut = data.astronaut()
    nose = openpose(astronaut)[0].points[0, :2]
    wide = cv2.copyMakeBorder(astronaut, 0, 0, 150, 0, cv2.BORDER_REPLICATE)
    tall = cv2.copyMakeBorder(astronaut, 100, 0, 0, 0, cv2.BORDER_REPLICATE)
    large = cv2.resize(astronaut, (768, 768), interpolation=cv2.INTER_CUBIC)
    assert openpose(wide)[0].points[0, :2] == pytest.approx(nose + np.array([150, 0]), abs=6)
    assert openpose(tall)[0].points[0, :2] == pytest.approx(nose + np.array([0, 100]), abs=6)
    assert openpose(large)[0].points[0, :2] == pytest.approx(nose * 1.5, abs=6)


@pytest.mark.weights
def test_two_astronauts_are_two_people_and_a_cat_is_nobody(openpose: OpenPose) -> None:
    from skimage import data

    astronaut = data.astronaut()[:, :400]
    people = openpose(np.hstack([astronaut, astronaut]))
    assert len(people) == 2
    left, right = sorted(person.points[0, 0] for person in people)
    assert right - left == pytest.approx(400, abs=8)
    assert openpose(data.chelsea()) == []


@pytest.mark.weights
def test_the_same_image_gives_the_same_json(openpose: OpenPose) -> None:
    from skimage import data

    first, again = (describe(openpose(data.astronaut())) for _ in range(2))
    assert first == again
