"""The same masks as segment-anything's own generator: as many, from the same points, in the same order.

Rounding differs (work is shared and regrouped), so a pixel whose logit is zero within rounding may flip: 0.1% of a
mask's pixels are allowed, and scores may differ by 1e-3. Seen: none did with MobileSAM, one pixel in each of 2 of 48
masks of a random ViT-B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from sluice.preprocess.perception import sam, sam_decoder
from sluice.preprocess.perception.automatic_masks import Settings, automatic_masks, encode
from sluice.preprocess.perception.masks import Mask
from sluice.preprocess.perception.nms import box_iou, nms
from sluice.preprocess.record import Array
from tests.preprocess.tiny_sam import random_mobile_sam, random_sam


def colours(seed: int, height: int = 240, width: int = 320) -> Array:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    image: Array = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return image


def published_masks(network: Any, image: Array, settings: Settings) -> list[dict[str, Any]]:
    with sam.standing_in():
        from segment_anything import SamAutomaticMaskGenerator
    masks: list[dict[str, Any]] = SamAutomaticMaskGenerator(network, **asdict(settings)).generate(image)
    return masks


def assert_same(ours: list[Mask], theirs: list[dict[str, Any]], image: Array) -> None:
    assert len(ours) == len(theirs)
    for mask, other in zip(ours, theirs, strict=True):
        assert mask.point == pytest.approx(other["point_coords"][0])
        assert [mask.crop.x0, mask.crop.y0, mask.crop.width, mask.crop.height] == other["crop_box"]
        assert mask.predicted_iou == pytest.approx(other["predicted_iou"], abs=1e-3)
        assert mask.stability_score == pytest.approx(other["stability_score"], abs=1e-3, nan_ok=True)
        differing = np.count_nonzero(mask.whole(*image.shape[:2]) != other["segmentation"])
        assert differing <= 0.001 * other["area"]
        if differing == 0:
            x0, y0, x1, y1 = mask.box
            assert [x0, y0, x1 - x0, y1 - y0] == other["bbox"]
            assert mask.area == other["area"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time to threads, most of all beside other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> Any:
    """A SAM and, of its random scale, the threshold and settings under which it gives some masks and drops others."""
    network = random_sam(seed=5)
    network.mask_threshold = 0.077
    return network


TINY = Settings(
    points_per_side=8,
    pred_iou_thresh=0.68,
    stability_score_thresh=0.5,
    stability_score_offset=0.0045,
    box_nms_thresh=0.8,
    crop_nms_thresh=0.8,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"crop_n_layers": 1},
        {"crop_n_layers": 2, "crop_n_points_downscale_factor": 2, "points_per_batch": 40},
        {"points_per_batch": 7, "box_nms_thresh": 0.6, "pred_iou_thresh": 0.5},
        {"min_mask_region_area": 60},
        {"pred_iou_thresh": 0, "stability_score_thresh": 0, "points_per_side": 4},
    ],
    ids=lambda changes: ",".join(changes) or "defaults",
)
def test_the_masks_of_segment_anything(tiny: Any, changes: dict[str, Any]) -> None:
    settings = Settings(**{**asdict(TINY), **changes})
    image = colours(5)
    theirs = published_masks(tiny, image, settings)
    assert len(theirs) >= 2
    if settings.crop_n_layers:
        assert any(mask["crop_box"] != [0, 0, 320, 240] for mask in theirs)
    assert_same(automatic_masks(tiny, [image], settings)[0], theirs, image)


def test_the_masks_of_segment_anything_with_a_tiny_vit() -> None:
    network, image = random_mobile_sam(seed=2), colours(2)
    network.mask_threshold = 0.05
    settings = Settings(
        **{**asdict(TINY), "crop_n_layers": 1, "pred_iou_thresh": 0.94, "stability_score_offset": 0.005}
    )
    theirs = published_masks(network, image, settings)
    assert len(theirs) >= 4
    assert_same(automatic_masks(network, [image], settings)[0], theirs, image)


@pytest.mark.weights
def test_the_masks_of_mobile_sam_on_a_photograph(real_weights: Callable[[str], Path]) -> None:
    network, image = sam.load(real_weights("mobile-sam")), data.astronaut()
    settings = Settings(points_per_side=4)
    theirs = published_masks(network, image, settings)
    assert len(theirs) >= 5
    assert_same(automatic_masks(network, [image], settings)[0], theirs, image)


@pytest.mark.slow
@pytest.mark.weights
def test_the_masks_of_mobile_sam_on_crops_of_a_photograph(real_weights: Callable[[str], Path]) -> None:
    network, image = sam.load(real_weights("mobile-sam")), data.coffee()
    settings = Settings(points_per_side=6, crop_n_layers=1, min_mask_region_area=100)
    theirs = published_masks(network, image, settings)
    assert len(theirs) >= 5
    assert_same(automatic_masks(network, [image], settings)[0], theirs, image)


def test_images_of_several_sizes_together_are_as_alone(tiny: Any) -> None:
    settings = Settings(**{**asdict(TINY), "crop_n_layers": 1, "points_per_batch": 100})
    images = [colours(5), colours(1, 300, 200), colours(2, 128, 128)]
    together = automatic_masks(tiny, images, settings, batch_size=3)
    assert sum(map(len, together)) >= 8
    for image, masks in zip(images, together, strict=True):
        alone = automatic_masks(tiny, [image], settings, batch_size=3)[0]
        assert [m.box for m in alone] == [m.box for m in masks]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(alone, masks, strict=True))


def test_the_decoder_is_segment_anythings() -> None:
    network = random_sam(seed=1)
    images = [colours(0), colours(1)]
    points = torch.rand(2, 5, 2, dtype=torch.float64) * 128
    with torch.inference_mode():
        embeddings = encode(network, images, 2)
        decoded = sam_decoder.predict(network, sam_decoder.share(network, embeddings), points)
        for i, of_image in enumerate(decoded.images()):
            labels = torch.ones(5, 1, dtype=torch.int)
            sparse, dense = network.prompt_encoder(points=(points[i][:, None], labels), boxes=None, masks=None)
            place = network.prompt_encoder.get_dense_pe()
            masks, quality = network.mask_decoder(embeddings[i : i + 1], place, sparse, dense, multimask_output=True)
            torch.testing.assert_close(of_image.quality, quality, rtol=1e-4, atol=1e-5)
            logits = sam_decoder.upscale(network, of_image.masks, of_image.image)
            torch.testing.assert_close(logits, masks, rtol=1e-4, atol=1e-5)


def test_nothing_good_gives_no_masks(tiny: Any) -> None:
    settings = Settings(points_per_side=2, pred_iou_thresh=100, crop_n_layers=1, min_mask_region_area=9)
    assert automatic_masks(tiny, [colours(0)], settings) == [[]]
    assert automatic_masks(tiny, [], settings) == []


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    random = np.random.default_rng(0)
    corners = random.integers(0, 40, (60, 2))
    boxes = torch.tensor(np.concatenate([corners, corners + random.integers(1, 30, (60, 2))], 1), dtype=torch.float32)
    scores = torch.tensor(random.integers(0, 9, 60), dtype=torch.float32)
    kept: list[int] = []
    for i in sorted(range(60), key=lambda i: (-scores[i].item(), i)):
        if all(box_iou(boxes[[i, j]])[0, 1] <= 0.4 for j in kept):
            kept.append(i)
    assert 5 < len(kept) < 50
    assert nms(boxes, scores, 0.4).tolist() == kept


def test_overlap_of_boxes() -> None:
    overlap = box_iou(torch.tensor([[0.0, 0, 4, 2], [2, 0, 4, 4], [8, 8, 9, 9]]))
    torch.testing.assert_close(overlap, torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1.0]]))
