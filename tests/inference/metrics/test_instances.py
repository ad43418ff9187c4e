from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.instances import (
    RANGES,
    Instance,
    Score,
    box_overlap,
    coloured,
    instance_overlap,
    instance_score,
    instance_success_rate,
)
from sluice.preprocess.record import Array

RED, BLUE = (210, 40, 44), (40, 88, 196)
BALL = Instance("ball", "red", (2, 2, 12, 12))


def picture(share: float) -> Array:
    """Grey, with a square of ten pixels a side of which this share is red and the rest blue."""
    shown = np.full((16, 16, 3), 127, np.uint8)
    shown[2:12, 2:12] = BLUE
    shown[2:12, 2 : 2 + round(10 * share)] = RED
    return shown


def mask(instance: Instance) -> Array:
    left, top, right, bottom = (int(side) for side in instance.box)
    inside = np.zeros((16, 16), bool)
    inside[top:bottom, left:right] = True
    return inside


def scored(share: float, *boxes: tuple[float, ...]) -> Score:
    def detect(noun: str) -> Array:
        assert noun == "ball"
        return np.array(boxes).reshape(-1, 4)

    return instance_score(picture(share), BALL, detect, mask)


def test_boxes_overlap_by_their_common_share() -> None:
    assert box_overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert box_overlap((0, 0, 2, 2), (2, 2, 4, 4)) == 0


def test_in_its_place_and_colour_it_is_there() -> None:
    assert scored(0.2, BALL.box) == Score(True, 1.0)
    assert scored(1.0, (0, 0, 1, 1), (2, 2, 12, 8)) == Score(True, 0.6)


def test_in_another_colour_its_overlap_is_nothing() -> None:
    assert scored(0.1, BALL.box) == Score(False, 0.0)


def test_elsewhere_its_overlap_counts_whatever_its_colour() -> None:
    assert scored(0.0, (2, 2, 12, 6)) == Score(False, 0.4)
    assert scored(1.0) == Score(False, 0.0)


@pytest.mark.parametrize("colour", RANGES)
def test_every_colour_is_seen_in_the_middle_of_its_range_and_by_no_other_name(colour: str) -> None:
    low, high = RANGES[colour][0]
    middle = np.array([(a + b) // 2 for a, b in zip(low, high, strict=True)], np.uint8)
    shown = cv2.cvtColor(np.full((4, 4, 3), middle, np.uint8), cv2.COLOR_HSV2RGB)
    found = {name: coloured(shown, np.ones((4, 4)), name) for name in RANGES}
    assert found == {name: float(name == colour) for name in RANGES}


def test_the_rate_and_the_mean_overlap_are_over_instances() -> None:
    two, four = [Score(True, 0.8), Score(False, 0.2)], [Score(False, 0.0)] * 3 + [Score(True, 1.0)]
    assert instance_success_rate(two + four).mean().item() == pytest.approx(2 / 6)
    assert instance_overlap(two + four).mean().item() == pytest.approx(2 / 6)


def test_unknown_colours_and_no_instances_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="no colour is called 'rad'; did you mean 'red'"):
        instance_score(picture(1), Instance("ball", "rad", BALL.box), lambda _: np.zeros((0, 4)), mask)
    with pytest.raises(Unmeasurable, match="instance success rate needs at least 1 instances"):
        instance_success_rate([])
    with pytest.raises(Unmeasurable, match=r"must be RGB uint8 .* it is float64 \(16, 16, 3\), the mask \(16, 16\)"):
        coloured(picture(1) / 255, mask(BALL), "red")
    assert torch.equal(instance_overlap([Score(True, 0.5)]), torch.tensor([0.5]))
