import numpy as np
import pytest

from sluice.preprocess.perception.skeleton import (
    COLOURS,
    DRAWN_LIMBS,
    POINTS,
    Person,
    describe,
    draw,
    openpose_order,
    settle,
)
from sluice.preprocess.record import FIELDS, check_value


def _person(**points: tuple[float, float, float]) -> Person:
    rows = np.zeros((18, 3))
    for name, values in points.items():
        rows[POINTS.index(name.replace("_", " "))] = values
    return Person(rows)


def test_the_customary_colours() -> None:
    assert COLOURS[0] == (255, 0, 0)
    assert COLOURS[1] == (255, 85, 0)
    assert COLOURS[4] == (170, 255, 0)
    assert COLOURS[12] == (0, 0, 255)
    assert COLOURS[17] == (255, 0, 85)
    assert len(set(COLOURS)) == 18


def test_limbs_lead_from_the_neck_to_every_point_once() -> None:
    reached = [1]
    for a, b in DRAWN_LIMBS:
        assert a in reached
        reached.append(b)
    assert sorted(reached) == list(range(18))


def test_the_picture_has_a_dim_limb_between_two_bright_discs() -> None:
    picture = draw([_person(neck=(100, 50, 0.9), right_shoulder=(40, 50, 0.8))], 512, 512)
    assert picture.shape == (512, 512, 3)
    assert tuple(picture[50, 100]) == COLOURS[1]
    assert tuple(picture[50, 40]) == COLOURS[2]
    assert tuple(picture[50, 70]) == tuple(int(c * 0.6) for c in COLOURS[0])
    assert not picture[60:].any()
    assert check_value(FIELDS["pose.png"], picture, (512, 512)) is None


def test_sticks_scale_with_the_image() -> None:
    person = _person(neck=(20, 30, 1), nose=(20, 30, 1))
    small, large = (draw([person], size, size).any(axis=2).sum() for size in (256, 1024))
    assert large > 8 * small


def test_an_unseen_end_hides_the_limb_and_nobody_is_black() -> None:
    picture = draw([_person(neck=(100, 50, 0.9))], 128, 128)
    assert set(map(tuple, picture.reshape(-1, 3))) == {(0, 0, 0), COLOURS[1]}
    assert not draw([], 64, 48).any()


def test_described_people_are_json_with_18_points_and_unseen_ones_zero() -> None:
    person = _person(nose=(10.123, 20.456, 0.98765), neck=(11, 30, 0.5))
    (found,) = describe([person])["people"]
    assert found["points"][0] == [10.12, 20.46, 0.9877] or found["points"][0] == [10.12, 20.46, 0.9876]
    assert found["points"][2] == [0, 0, 0]
    assert len(found["points"]) == 18
    assert found["score"] == pytest.approx((0.98765 + 0.5) / 2, abs=1e-4)
    assert FIELDS["pose.json"].decode(FIELDS["pose.json"].encode(describe([person]))) == describe([person])


def test_people_are_settled_from_the_best_seen_to_the_least_within_the_image() -> None:
    faint, clear = _person(nose=(5, 5, 0.3)), _person(nose=(-3, 99, 0.9))
    first, second = settle([faint, clear], 50, 40)
    assert first.points[0].tolist() == [0, 49, 0.9]
    assert second.points[0].tolist() == [5, 5, 0.3]
    assert not first.points[1:].any()
    again = settle([clear, faint], 50, 40)
    assert [p.points.tolist() for p in again] == [first.points.tolist(), second.points.tolist()]


def test_cocos_points_get_a_neck_between_the_shoulders() -> None:
    coco = np.column_stack([np.arange(17), np.arange(17) * 2, np.full(17, 0.9)]).astype(float)
    coco[6, 2] = 0.4
    person = openpose_order(coco, 0.3)
    names = dict(zip(POINTS, person.points.tolist(), strict=True))
    assert names["nose"][:2] == [0, 0]
    assert names["left eye"][:2] == [1, 2]
    assert names["right ear"][:2] == [4, 8]
    assert names["left shoulder"][:2] == [5, 10]
    assert names["right wrist"][:2] == [10, 20]
    assert names["left ankle"][:2] == [15, 30]
    assert names["neck"] == [5.5, 11, 0.4]
    assert not openpose_order(coco, 0.5).seen[[1, 2]].any()
