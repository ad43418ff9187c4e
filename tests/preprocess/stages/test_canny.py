from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from sluice.preprocess.perception.edges import canny
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.canny import (
    BackgroundCanny,
    Canny,
    CannyParameters,
    ForegroundCanny,
    ForegroundCannyParameters,
)


def test_the_three_stages_fill_their_fields(scene: Callable[..., Record]) -> None:
    record = scene(1, 64, 80)
    for stage in (
        Canny(CannyParameters(low=20, high=40)),
        ForegroundCanny(ForegroundCannyParameters(low=20, high=40)),
        BackgroundCanny(CannyParameters(low=20, high=40)),
    ):
        stage([record])
        (written,) = stage.writes
        assert check_value(FIELDS[written], record[written], (64, 80)) is None
    np.testing.assert_array_equal(record["canny.png"], canny(record["jpg"], 20, 40))
    np.testing.assert_array_equal(record["bg_canny.png"], canny(record["bg.jpg"], 20, 40))


def test_foreground_edges_are_the_images_and_near_the_mask(scene: Callable[..., Record]) -> None:
    record = scene(2)
    Canny(CannyParameters(low=10, high=20))([record])
    ForegroundCanny(ForegroundCannyParameters(low=10, high=20, margin=2))([record])
    edges = record["fg_canny.png"]
    assert edges.any()
    assert (edges <= record["canny.png"]).all()
    rows, columns = np.nonzero(edges)
    inside = np.argwhere(record["mask.png"])
    distances = [np.abs(inside - place).max(axis=1).min() for place in zip(rows, columns, strict=True)]
    assert max(distances) <= 2


def test_thresholds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"`low` \(300\) is above `high` \(200\)"):
        CannyParameters(low=300)


def test_a_threshold_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="low"):
        CannyParameters(low=-1)
