"""Every metric by name, ours and anyone's, so that a suite can list them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from sluice.inference.metrics import fid, frechet, inception_score, kid, retrieval
from sluice.inference.metrics.asymmetry import asym, nasym
from sluice.inference.metrics.class_accuracy import class_accuracy
from sluice.inference.metrics.clip import clip_distance, clip_similarity
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.front import front_accuracy
from sluice.inference.metrics.identity import identity_distance
from sluice.inference.metrics.instances import instance_overlap, instance_success_rate
from sluice.inference.metrics.landmarks import landmark_error
from sluice.inference.metrics.localisation import localisation_similarity
from sluice.inference.metrics.lpips import lpips
from sluice.inference.metrics.mask_f1 import mask_f1
from sluice.inference.metrics.mean_iou import mask_iou
from sluice.inference.metrics.niqe import niqe
from sluice.inference.metrics.pose import oks, pck
from sluice.inference.metrics.psnr import psnr
from sluice.inference.metrics.ssim import ssim
from sluice.inference.metrics.style import style_distance
from sluice.inference.metrics.total_variation import silent_total_variation
from sluice.infra.entry_points import load
from sluice.infra.errors import SluiceError
from sluice.infra.settings import nearest


class UnknownMetric(SluiceError):
    """No metric has this name."""


@dataclass(frozen=True)
class Metric:
    """A function, what its numbers are in and between, which are better, and how many pictures it takes at least."""

    of: Callable[..., Any]
    unit: str
    range: tuple[float, float]
    better: Literal["higher", "lower"]
    minimum: int = 1


METRICS: dict[str, Metric] = {
    "silent_total_variation": Metric(silent_total_variation, "of -1 to 1, a pair of pixels", (0, 2), "higher"),
    "condition_l1": Metric(condition_l1, "of 0 to 1, a pixel", (0, 1), "lower"),
    "edge_f1": Metric(edge_f1, "share", (0, 1), "higher"),
    "depth_mae": Metric(depth_mae, "of an image's own 0 to 1, a pixel", (0, 1), "lower"),
    "pck": Metric(pck, "share of points", (0, 1), "higher"),
    "oks": Metric(oks, "similarity", (0, 1), "higher"),
    "asym": Metric(asym, "summed over dimensions", (0, math.inf), "lower"),
    "nasym": Metric(nasym, "share", (0, 1), "lower"),
    "instance_success_rate": Metric(instance_success_rate, "share of instances", (0, 1), "higher"),
    "instance_overlap": Metric(instance_overlap, "intersection over union", (0, 1), "higher"),
    "identity_distance": Metric(identity_distance, "1 - cosine", (0, 2), "lower"),
    "landmark_error": Metric(landmark_error, "picture heights", (0, math.inf), "lower"),
    "style_distance": Metric(style_distance, "of a network's features", (0, math.inf), "lower"),
    "mask_iou": Metric(mask_iou, "intersection over union", (0, 1), "higher"),
    "mask_f1": Metric(mask_f1, "share", (0, 1), "higher"),
    "class_accuracy": Metric(class_accuracy, "share of pictures", (0, 1), "higher"),
    "clip_similarity": Metric(clip_similarity, "cosine", (-1, 1), "higher"),
    "clip_distance": Metric(clip_distance, "1 - cosine", (0, 2), "lower"),
    "front_accuracy": Metric(front_accuracy, "share of pictures", (0, 1), "higher"),
    "localisation_similarity": Metric(localisation_similarity, "cosine", (-1, 1), "higher"),
    "retrieval": Metric(retrieval.retrieval, "share of pictures, of texts", (0, 1), "higher", retrieval.MINIMUM),
    "psnr": Metric(psnr, "dB", (0, math.inf), "higher"),
    "ssim": Metric(ssim, "similarity", (-1, 1), "higher"),
    "lpips": Metric(lpips, "of VGG-16's or AlexNet's features", (0, math.inf), "lower"),
    "niqe": Metric(niqe, "distance from natural pictures", (0, math.inf), "lower"),
    "fid": Metric(fid.fid, "of Inception's features, squared", (0, math.inf), "lower", fid.MINIMUM),
    "kid": Metric(kid.kid, "of Inception's features, squared", (-math.inf, math.inf), "lower", kid.MINIMUM),
    "frechet_distance": Metric(
        frechet.frechet_distance, "of any network's features, squared", (0, math.inf), "lower", frechet.MINIMUM
    ),
    "inception_score": Metric(
        inception_score.inception_score, "classes", (1, math.inf), "higher", inception_score.MINIMUM
    ),
}

KINDS = TypeAdapter(Metric)


def metrics() -> dict[str, Metric]:
    """Ours, and those that installed packages name as entry points `sluice.metrics`, each a Metric.

    Raises UnknownMetric where one of these takes a name of ours, or is no Metric, and BrokenPackage.
    """
    theirs = {entry.name: entry for entry in entry_points(group="sluice.metrics")}
    for name in theirs.keys() & METRICS.keys():
        raise UnknownMetric(f"the entry point sluice.metrics '{name}' ({theirs[name].value}) has the name of our own")
    return METRICS | {name: _checked(name, load(entry)) for name, entry in sorted(theirs.items())}


def metric(name: str) -> Metric:
    """The metric of this name. Raises UnknownMetric."""
    found = metrics()
    if name not in found:
        raise UnknownMetric(f"no metric is called '{name}'; {nearest(name, found)}")
    return found[name]


def _checked(name: str, loaded: Any) -> Metric:
    if not isinstance(loaded, Metric):
        raise UnknownMetric(
            f"the entry point sluice.metrics '{name}' must be a sluice.inference.metrics.registry.Metric, and is a "
            f"{type(loaded).__name__}"
        )
    try:
        found = KINDS.validate_python(vars(loaded))
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"]))
        raise UnknownMetric(f"the metric '{name}' of an installed package: {field}: {wrong['msg']}") from error
    low, high = found.range
    if not low < high:
        raise UnknownMetric(f"the metric '{name}' of an installed package has no range: {found.range}, not (low, high)")
    return found
