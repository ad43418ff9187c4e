from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from sluice.preprocess.perception.superpixels import superpixels
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.segments import Segments, SegmentsParameters
from tests.preprocess.tiny_sam import random_mobile_sam, random_sam, save

EAGER: dict[str, Any] = {
    "points_per_side": 4,
    "pred_iou_thresh": 0.0,
    "stability_score_thresh": 0.0,
    "box_nms_thresh": 1.0,
    "crop_nms_thresh": 1.0,
    "min_mask_region_area": 4,
}


def opened(model: Path, **changes: Any) -> Segments:
    stage = Segments(SegmentsParameters(model=str(model), **{**EAGER, **changes}))
    stage.open(model)
    return stage


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_sam(seed=5), tmp_path_factory.mktemp("sam") / "tiny.safetensors")


def test_records_of_several_sizes_in_one_batch(tiny: Path, scene: Callable[..., Record]) -> None:
    stage = opened(tiny, batch_size=3)
    records = [scene(seed, *size) for seed, size in enumerate([(64, 64), (48, 80), (96, 64)])]
    stage(records)
    for record in records:
        labels = record["segments.png"]
        assert check_value(FIELDS["segments.png"], labels, record["jpg"].shape[:2]) is None
        assert set(np.unique(labels)) - {0} == set(range(1, labels.max() + 1))
    assert max(record["segments.png"].max() for record in records) >= 2


@pytest.mark.parametrize("layers", [0, 1])
def test_the_same_bytes_in_any_company(tiny: Path, layers: int, scene: Callable[..., Record]) -> None:
    stage = opened(tiny, batch_size=4, crop_n_layers=layers)
    together = [scene(seed, 64 + 16 * seed, 96) for seed in range(4)]
    stage(together)
    for seed, record in enumerate(together):
        alone = scene(seed, 64 + 16 * seed, 96)
        stage([alone])
        assert alone.encode("segments.png") == record.encode("segments.png")


def test_half_precision_and_a_tiny_vit(tmp_path: Path, scene: Callable[..., Record]) -> None:
    model = save(random_mobile_sam(image_size=1024), tmp_path / "mobile.pt")
    stage = opened(model, precision="bf16", points_per_side=1)
    record = scene(0)
    stage([record])
    assert check_value(FIELDS["segments.png"], record["segments.png"], (64, 64)) is None


def test_superpixels_need_no_weights(scene: Callable[..., Record]) -> None:
    stage = Segments(SegmentsParameters(model="superpixels", superpixels=5, min_area=0.01))
    assert stage.weights is None
    assert Segments.fallback in Segments.classical
    stage.open(None)
    record = scene(0)
    stage([record])
    np.testing.assert_array_equal(record["segments.png"], superpixels(record["jpg"], 5, min_area=41))


@pytest.mark.weights
def test_mobile_sam_tells_a_face_from_its_hair(real_weights: Callable[[str], Path]) -> None:
    weights = real_weights("mobile-sam")
    stage = Segments(SegmentsParameters(points_per_side=8))
    stage.open(weights)
    record = Record("0" * 16, values={"jpg": np.ascontiguousarray(data.astronaut())})
    stage([record])
    labels = record["segments.png"]
    assert 8 <= labels.max() <= 60
    assert (labels == 0).mean() < 0.3
    face, hair, helmet = labels[120, 220], labels[50, 200], labels[420, 430]
    assert len({face, hair, helmet}) == 3
