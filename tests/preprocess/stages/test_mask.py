import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.mask import Mask, MaskParameters


def _open(model: str, weights: Path | None = None) -> Mask:
    stage = Mask(MaskParameters(model=model))
    stage.open(weights)
    return stage


def test_what_it_reads_depends_on_the_model() -> None:
    assert Mask(MaskParameters()).reads == ("jpg",)
    assert Mask(MaskParameters(model="grabcut")).reads == ("jpg",)
    assert Mask(MaskParameters(model="source")).reads == ("json", "raw.mask")
    assert Mask(MaskParameters(model="source")).weights is None
    assert Mask(MaskParameters()).weights == "u2net-small"


def test_u2net_fills_the_field(tiny_u2net: Path, scene: Callable[..., Record]) -> None:
    record = scene(0, 48, 72)
    _open(str(tiny_u2net), tiny_u2net)([record])
    assert check_value(FIELDS["mask.png"], record["mask.png"], (48, 72)) is None
    assert set(np.unique(record["mask.png"])) <= {0, 255}


def test_grabcut_finds_its_own_segments(scene: Callable[..., Record]) -> None:
    record = scene(0)
    image = np.full((64, 64, 3), (40, 90, 40), np.uint8)
    image[20:44, 16:40] = (200, 40, 30)
    record["jpg"] = image
    _open("grabcut")([record])
    assert ((record["mask.png"] > 0) != (image[..., 0] > 100)).mean() < 0.02


def test_the_sources_mask_goes_through_the_images_geometry() -> None:
    labels = np.zeros((40, 60), np.uint8)
    labels[:, :20] = 3
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG")
    geometry = {"orientation": 1, "original": [60, 40], "resized": [30, 20], "crop": [5, 0, 20, 20]}
    record = Record("0" * 16, {"raw.mask": stream.getvalue()}, {"json": {"geometry": geometry}})
    _open("source")([record])
    expected = np.zeros((20, 20), np.uint8)
    expected[:, :5] = 255
    np.testing.assert_array_equal(record["mask.png"], expected)


def test_a_source_without_masks_says_so(scene: Callable[..., Record]) -> None:
    with pytest.raises(ValueError, match="the source gives no mask"):
        _open("source")([scene(0)])
