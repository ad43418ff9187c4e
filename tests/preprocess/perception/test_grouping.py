import numpy as np
import pytest

from sluice.preprocess.perception.grouping import FIELD_LIMBS, group, limb_scores, peaks
from sluice.preprocess.perception.skeleton import POINTS, Person
from sluice.preprocess.record import Array

SIZE = 54
STANDING = np.array(
    [
        [12, 6],
        [12, 11],
        [8, 11],
        [6, 17],
        [5, 23],
        [16, 11],
        [18, 17],
        [19, 23],
        [9, 24],
        [9, 34],
        [9, 44],
        [15, 24],
        [15, 34],
        [15, 44],
        [11, 5],
        [13, 5],
        [9, 6],
        [15, 6],
    ],
    float,
)


def _heats(people: list[Array], heights: list[float]) -> Array:
    y, x = np.mgrid[:SIZE, :SIZE]
    heats = np.zeros((len(POINTS), SIZE, SIZE))
    for person, height in zip(people, heights, strict=True):
        for kind, (px, py) in enumerate(person):
            if not np.isnan(px):
                blob = height * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 0.9**2))
                heats[kind] = np.maximum(heats[kind], blob)
    return heats


def _fields(people: list[Array]) -> Array:
    """Unit vectors within a cell of each limb; where limbs of two people cross, their mean, as networks learn it."""
    y, x = np.mgrid[:SIZE, :SIZE]
    fields = np.zeros((len(FIELD_LIMBS), 2, SIZE, SIZE))
    for limb, (a, b) in enumerate(FIELD_LIMBS):
        count = np.zeros((SIZE, SIZE))
        for person in people:
            start, along = person[a], person[b] - person[a]
            if np.isnan(along).any():
                continue
            length = np.linalg.norm(along)
            unit = along / length
            forward = (x - start[0]) * unit[0] + (y - start[1]) * unit[1]
            aside = np.abs((x - start[0]) * unit[1] - (y - start[1]) * unit[0])
            on_limb = (forward >= -0.5) & (forward <= length + 0.5) & (aside <= 1)
            fields[limb] += unit[:, None, None] * on_limb
            count += on_limb
        fields[limb] /= np.maximum(count, 1)
    return fields


def _found(people: list[Array], heights: list[float] | None = None) -> list[Person]:
    heats = _heats(people, heights or [0.9] * len(people))
    found = group([peaks(heat, 0.1) for heat in heats], _fields(people))
    return sorted(found, key=lambda person: person.points[person.seen, 0].mean())


def test_a_peak_between_cells_is_found_to_a_hundredth() -> None:
    heat = _heats([np.full((18, 2), [20.31, 33.87])], [0.8])[0]
    ((x, y, height),) = peaks(heat, 0.1)
    assert (x, y) == pytest.approx((20.31, 33.87), abs=0.01)
    assert height == heat.max()


def test_peaks_at_the_border_stay_within_half_a_cell() -> None:
    heat = np.zeros((8, 8))
    heat[0, 0], heat[7, 7] = 0.9, 0.5
    found = peaks(heat, 0.1)
    np.testing.assert_allclose(found[:, :2], [[0, 0], [7, 7]], atol=0.5)


def test_a_plateau_is_one_peak_and_a_flat_map_under_the_threshold_none() -> None:
    heat = np.zeros((8, 8))
    heat[3:5, 3:5] = 0.5
    assert len(peaks(heat, 0.1)) == 1
    assert len(peaks(np.full((8, 8), 0.05), 0.1)) == 0


def test_a_limb_is_supported_along_its_field_only() -> None:
    field = np.zeros((2, SIZE, SIZE))
    field[0, 20, 5:30] = 1
    starts, ends = np.array([[5.0, 20, 1]]), np.array([[29.0, 20, 1], [5, 44, 1], [17, 20, 1]])
    along, across, halfway = limb_scores(field, starts, ends)[0]
    assert along == pytest.approx(1, abs=0.1)
    assert across == 0
    assert halfway == pytest.approx(1)
    assert limb_scores(field, ends[:1], starts)[0, 0] == 0, "a limb has a direction"


def test_one_person_whole() -> None:
    (person,) = _found([STANDING])
    assert person.seen.all()
    np.testing.assert_allclose(person.points[:, :2], STANDING, atol=0.05)


def test_two_overlapping_people_keep_their_own_limbs() -> None:
    """Side by side at half a body's width, so that arms cross: every point must go to the right person."""
    people = [STANDING + np.array([4, 2]), STANDING * [1.1, 1] + [12, 0]]
    found = _found(people)
    assert len(found) == 2
    for person, truth in zip(found, people, strict=True):
        assert person.seen.all()
        np.testing.assert_allclose(person.points[:, :2], truth, atol=0.6)


def test_a_mirrored_and_hidden_person_behind_another() -> None:
    behind = STANDING * [-1, 1] + [47, 3]
    behind[[3, 4, 10]] = np.nan
    found = _found([STANDING + np.array([8, 0]), behind], [0.9, 0.4])
    assert [int(person.seen.sum()) for person in found] == [18, 15]
    np.testing.assert_allclose(found[1].points[found[1].seen, :2], behind[~np.isnan(behind[:, 0])], atol=0.6)
    assert not found[1].points[[3, 4, 10]].any()


def test_fewer_than_four_points_are_nobody() -> None:
    arm = np.full((18, 2), np.nan)
    arm[2:5] = STANDING[2:5]
    assert _found([arm]) == []


def test_a_false_second_nose_is_left_out() -> None:
    heats, fields = _heats([STANDING], [0.9]), _fields([STANDING])
    heats[0, 50, 50] = 0.95
    (person,) = group([peaks(heat, 0.1) for heat in heats], fields)
    np.testing.assert_allclose(person.points[0, :2], STANDING[0], atol=0.05)


def test_nobody() -> None:
    empty = [np.zeros((0, 3))] * len(POINTS)
    assert group(empty, np.zeros((len(FIELD_LIMBS), 2, SIZE, SIZE))) == []
