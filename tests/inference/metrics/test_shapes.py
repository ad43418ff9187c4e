"""Every metric names itself where it is given nothing, or something of other axes: no value, and no library's error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from sluice.inference.metrics.bootstrap import of_mean
from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.class_accuracy import class_accuracy
from sluice.inference.metrics.clip import clip_distance, clip_similarity
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.fid import fid
from sluice.inference.metrics.frechet import frechet_distance
from sluice.inference.metrics.front import front_accuracy
from sluice.inference.metrics.identity import identity_distance
from sluice.inference.metrics.inception_score import inception_score
from sluice.inference.metrics.instances import instance_overlap, instance_success_rate
from sluice.inference.metrics.kid import kid
from sluice.inference.metrics.landmarks import landmark_error
from sluice.inference.metrics.localisation import localisation_similarity
from sluice.inference.metrics.lpips import lpips
from sluice.inference.metrics.mask_f1 import mask_f1
from sluice.inference.metrics.mean_iou import mask_iou
from sluice.inference.metrics.niqe import niqe
from sluice.inference.metrics.pose import oks, pck
from sluice.inference.metrics.psnr import psnr
from sluice.inference.metrics.retrieval import retrieval
from sluice.inference.metrics.ssim import ssim
from sluice.inference.metrics.style import style_distance
from sluice.inference.metrics.total_variation import silent_total_variation

ONE = torch.ones(1)
MASKS = torch.ones(2, 8, 8)
METRICS: dict[str, Callable[[Any], Any]] = {
    "class accuracy": lambda x: class_accuracy(x, torch.ones(2, dtype=torch.int64)),
    "CLIP similarity": lambda x: clip_similarity(x, x),
    "CLIP text distance": lambda x: clip_distance(x, x),
    "condition L1": lambda x: condition_l1(x, x, MASKS),
    "depth MAE": lambda x: depth_mae(x, x),
    "edge F1": lambda x: edge_f1(x, x),
    "FID": lambda x: fid(x, x),
    "Fréchet distance": lambda x: frechet_distance(x, x),
    "front accuracy": lambda x: front_accuracy(x, x, ONE, ONE),
    "identity distance": lambda x: identity_distance(x, x),
    "inception score": lambda x: inception_score(x),
    "KID": lambda x: kid(x, x),
    "landmark error": lambda x: landmark_error(x, x, 8),
    "localisation similarity": lambda x: localisation_similarity(lambda y: y, x, MASKS, ONE, ONE),
    "LPIPS": lambda x: lpips(lambda one, _: one, x, x),
    "mask F1": lambda x: mask_f1(x, x, 2),
    "mask IoU": lambda x: mask_iou(x, x, 2),
    "NIQE": lambda x: niqe(x, None),  # type: ignore[arg-type]  # it is not asked before
    "OKS": lambda x: oks(x, x, ONE),
    "PCK": lambda x: pck(x, x, ONE),
    "PSNR": lambda x: psnr(x, x),
    "retrieval": lambda x: retrieval(x, x),
    "SSIM": lambda x: ssim(x, x),
    "style distance": lambda x: style_distance(x, x),
    "total variation": lambda x: silent_total_variation(x, MASKS),
    "bootstrap": lambda x: of_mean(x),
}


@pytest.mark.parametrize("given", [None, 0.5, torch.tensor(0.5)], ids=["none", "a number", "no axes"])
@pytest.mark.parametrize("name", METRICS)
def test_what_is_no_tensor_of_its_axes_is_refused(name: str, given: Any) -> None:
    with pytest.raises(Unmeasurable, match=f"^{name}"):
        METRICS[name](given)


@pytest.mark.parametrize("name", ["depth MAE", "edge F1", "mask IoU", "mask F1"])
def test_one_map_without_a_batch_is_no_batch_of_rows(name: str) -> None:
    with pytest.raises(Unmeasurable, match=r"must be \(batch, height, width\), and are \(8, 8\)"):
        METRICS[name](torch.ones(8, 8, dtype=torch.int64))


def test_points_without_what_says_that_they_are_there_are_refused() -> None:
    for name in ("PCK", "OKS"):
        with pytest.raises(Unmeasurable, match=r"must be \(\.\.\., points, 3\), and are \(2, 17, 2\)"):
            METRICS[name](torch.ones(2, 17, 2))


def test_classes_are_counted_in_whole_numbers() -> None:
    maps = torch.ones(1, 2, 2, dtype=torch.int64)
    with pytest.raises(Unmeasurable, match=r"classes must be a whole number, not 3\.5"):
        mask_f1(maps, maps, 3.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [None, [None], 0.5])
def test_instances_are_scored_before_they_are_counted(given: Any) -> None:
    for measure in (instance_success_rate, instance_overlap):
        with pytest.raises(Unmeasurable, match=r"^instance .* takes what `instance_score` gives, a list of it"):
            measure(given)
