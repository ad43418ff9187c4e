"""Ready conditions: whatever their size and orientation, they lie on the record's image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sluice.preprocess.perception.geometry import apply_to_image, plan_geometry
from sluice.preprocess.record import Array, Record, encode_json, encode_png
from sluice.preprocess.stages.given import Condition, Given, GivenParameters

GEOMETRY = plan_geometry((120, 90), 64, "center")


def left_half(value: int, shape: tuple[int, ...] = (90, 120)) -> Array:
    image = np.zeros(shape, np.uint8)
    image[:, : shape[1] // 2] = value
    return image


def record(**companions: bytes) -> Record:
    made = Record("0a", {f"raw.{name}": data for name, data in companions.items()})
    made["json"] = {"geometry": GEOMETRY.to_json()}
    return made


def run(made: Record, *conditions: Condition) -> Record:
    Given(GivenParameters(conditions=conditions))([made])
    return made


@pytest.mark.parametrize("size", [(120, 90), (60, 45)])
def test_every_condition_lies_where_the_image_does(size: tuple[int, int]) -> None:
    grey = cv2.resize(left_half(255), size, interpolation=cv2.INTER_NEAREST)
    names: tuple[Condition, ...] = ("canny", "hed", "depth", "pose", "mask")
    made = run(record(**dict.fromkeys(names, encode_png(grey))), *names)
    truth = apply_to_image(np.dstack([left_half(255)] * 3), GEOMETRY)[..., 0] > 127
    away = np.abs(np.arange(64) - 31.5) > 2
    for name in names:
        value = made[f"{name}.png"]
        seen = value.reshape(64, 64, -1)[..., 0] > value.max() / 2
        assert value.shape[:2] == (64, 64)
        assert np.array_equal(seen[:, away], truth[:, away]), name
    assert made["depth.png"].dtype == np.uint16
    assert made["depth.png"].max() == 65535
    assert set(np.unique(made["canny.png"])) == {0, 255}


def test_sixteen_bits_of_depth_stay() -> None:
    ramp = np.linspace(0, 65535, 90 * 120).reshape(90, 120).astype(np.uint16)
    made = run(record(depth=encode_png(ramp), fg_depth=encode_png(ramp)), "depth", "fg_depth")
    assert len(np.unique(made["depth.png"])) > 2000
    assert np.array_equal(made["depth.png"], made["fg_depth.png"])


def test_a_background_and_points_come_along() -> None:
    wide = np.zeros((90, 120, 3), np.uint8)
    wide[40:50, 60:70] = (255, 0, 0)
    points = [[0.0, 0.0, 0.0]] * 18
    points[0], points[1] = [64.5, 44.5, 1.0], [2.0, 44.5, 1.0]
    people = encode_json({"people": [{"points": points, "score": 1.0}]})
    made = run(record(**{"background": encode_png(wide), "pose.json": people}), "background", "pose.json")
    assert made["bg.jpg"].shape == (64, 64, 3)
    (person,) = made["pose.json"]["people"]
    x, y, seen = person["points"][0]
    assert seen == 1
    red = made["bg.jpg"][..., 0] > 128
    rows, columns = np.nonzero(red)
    assert (x, y) == pytest.approx((columns.mean(), rows.mean()), abs=0.5)
    assert person["points"][1] == [0, 0, 0], "the crop has left it out"


def test_labels_are_never_averaged() -> None:
    labels = np.random.default_rng(0).choice([0, 7, 40_000], (90, 120)).astype(np.uint16)
    made = run(record(segments=encode_png(labels)), "segments")
    assert set(np.unique(made["segments.png"])) == {0, 7, 40_000}


def test_a_missing_condition_is_rejected_by_name() -> None:
    made = run(record(canny=encode_png(left_half(255))), "canny", "depth")
    assert made.rejection is not None
    assert made.rejection.reason == "the source has no ready 'depth' for this image"


def test_another_aspect_is_an_error() -> None:
    with pytest.raises(ValueError, match="aspect"):
        run(record(mask=encode_png(left_half(255, (90, 90)))), "mask")
