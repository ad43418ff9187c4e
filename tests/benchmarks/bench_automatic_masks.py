"""Automatic masks: ours against segment-anything's own generator, same weights, same masks, side by side in one run.

MobileSAM on a photograph, and a random ViT-B, whose time is mostly its encoder's and therefore the same in both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np
import torch
from skimage import data

from sluice.infra.errors import SluiceError
from sluice.infra.weights.models import find
from sluice.preprocess.perception import sam
from sluice.preprocess.perception.automatic_masks import Settings, automatic_masks
from sluice.preprocess.perception.torchvision_shim import standing_in
from sluice.preprocess.record import Array
from tests.benchmarks.result import Goal, Result

ROUNDS = 3


def mobile_sam() -> tuple[Any, Settings]:
    """The published weights, asked as the segments stage asks them."""
    network = sam.load(find("mobile-sam").path)
    return network, Settings(12, pred_iou_thresh=0.85, stability_score_thresh=0.9, min_mask_region_area=100)


def random_vit_b() -> tuple[Any, Settings]:
    """A ViT-B of random weights, which is sure of nothing: few points, and all their masks are kept."""
    with standing_in():
        from segment_anything import sam_model_registry
    torch.manual_seed(0)
    network = sam.from_state(sam_model_registry["vit_b"]().state_dict())
    return network, Settings(4, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0)


def photograph() -> Array:
    """512 x 512."""
    return np.ascontiguousarray(data.astronaut())  # type: ignore[no-untyped-call]


def compare(network: Any, settings: Settings, image: Array, rounds: int) -> dict[str, Any]:
    """Median seconds of both, taken in turns, their ratio, and how far their masks agree."""
    with standing_in():
        from segment_anything import SamAutomaticMaskGenerator
    # Each with the number of points in a call that suits it: the package's default of 64, and the stage's of 4.
    generator = SamAutomaticMaskGenerator(network, **asdict(settings))
    few = Settings(**{**asdict(settings), "points_per_batch": 4})
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        ours = _timed(times["ours"], lambda: automatic_masks(network, [image], few)[0])
        theirs = _timed(times["theirs"], lambda: generator.generate(image))
    differing = [
        int(np.count_nonzero(a.whole(*image.shape[:2]) != b["segmentation"]))
        for a, b in zip(ours, theirs, strict=False)
    ]
    return {
        "ratio": median(times["theirs"]) / median(times["ours"]),
        "seconds_ours": median(times["ours"]),
        "seconds_theirs": median(times["theirs"]),
        "masks_ours": len(ours),
        "masks_theirs": len(theirs),
        "identical_masks": differing.count(0),
        "most_differing_pixels": max(differing, default=0),
    }


def _timed(times: list[float], call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = call()
    times.append(time.perf_counter() - start)
    return result


def run() -> list[Result]:
    """Both comparisons; MobileSAM's is left out, with a word, where its weights are absent."""
    image = photograph()
    found = {}
    try:
        found["MobileSAM"] = compare(*mobile_sam(), image, ROUNDS)
    except SluiceError as error:
        print(f"NOT MEASURED: {error}")
    found["random ViT-B"] = compare(*random_vit_b(), image, 1)
    return [
        Result(f"automatic masks / segment-anything's, {name}", measured["ratio"], Goal(">", 1), measured)
        for name, measured in found.items()
    ]
