"""Metrics that torchmetrics or scikit-image has too, against that library's own loop over the same pictures.

What neither has, or begins by fetching a network as torchmetrics' LPIPS does, is told in pictures a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from torchmetrics.classification import MulticlassF1Score, MulticlassJaccardIndex
from torchmetrics.functional import cosine_similarity, mean_absolute_error
from torchmetrics.functional.classification import multiclass_accuracy
from torchmetrics.image import TotalVariation
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from sluice.flows.evaluate.populations import by_inception
from sluice.inference.metrics.class_accuracy import class_accuracy
from sluice.inference.metrics.clip import clip_similarity
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae, min_max
from sluice.inference.metrics.fid import fid
from sluice.inference.metrics.identity import identity_distance
from sluice.inference.metrics.inception_score import inception_score
from sluice.inference.metrics.kid import kid
from sluice.inference.metrics.mask_f1 import mask_f1
from sluice.inference.metrics.mean_iou import mask_iou
from sluice.inference.metrics.psnr import psnr
from sluice.inference.metrics.ssim import ssim
from sluice.inference.metrics.total_variation import silent_total_variation
from sluice.infra.weights.models import find
from sluice.preprocess.perception.inception import Inception
from tests.benchmarks.lone_metrics import without_rival
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

PICTURES, SEEN, SIDE, BATCH = 128, 32, 64, 32
WIDTH, FEATURES, CLASSES = 256, 512, 12
ROUNDS = 3
GOAL = Goal(">=", 0.9)


class Duel(NamedTuple):
    """The same figures, by us and by a library, of so many pictures."""

    name: str
    pictures: int
    ours: Callable[[], Any]
    theirs: Callable[[], Any]

    def check(self) -> None:
        """Raises RuntimeError where the two figures are not the same."""
        ours, theirs = (torch.as_tensor(figures(), dtype=torch.float64) for figures in (self.ours, self.theirs))
        if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6):
            raise RuntimeError(f"{self.name} are not the same figure: {ours} and {theirs}")


class _Given(nn.Module):
    """A network for torchmetrics: features that are there already."""

    num_features = FEATURES

    def forward(self, features: Tensor) -> Tensor:
        return features.flatten(1)


class _Seen(nn.Module):
    """Inception, of pictures of 0 to 255."""

    def __init__(self, network: Inception) -> None:
        super().__init__()
        self.network, self.num_features = network, 2048

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network(pictures / 127.5 - 1)


def run() -> list[Result]:
    """Of random pictures, as figures cost what they cost whatever is shown."""
    generator = torch.Generator().manual_seed(0)
    duels = (_of_features, _of_pictures, _of_masks, _of_conditions, _of_embeddings)
    return [
        *(_raced(duel) for part in duels for duel in part(generator)),
        *(_paced(name, measure) for name, measure in without_rival(generator, SEEN, WIDTH).items()),
    ]


def _paced(name: str, measure: Callable[[], Any]) -> Result:
    return Result(f"metrics: {name}, pictures a second", SEEN / in_turns({name: measure}, ROUNDS)[name], None)


def _raced(duel: Duel) -> Result:
    duel.check()
    seconds = in_turns({"ours": duel.ours, "theirs": duel.theirs}, ROUNDS)
    pace = {f"{name}, pictures/s": round(duel.pictures / taken, 1) for name, taken in seconds.items()}
    return Result(f"metrics: {duel.name}", seconds["theirs"] / seconds["ours"], GOAL, pace)


def _of_features(generator: torch.Generator) -> list[Duel]:
    network = Inception(find("inception-fid").path)
    shown = torch.randint(0, 256, (SEEN, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    sight = by_inception(network)
    made, true = torch.randn(2, PICTURES, FEATURES, generator=generator, dtype=torch.float64)

    def theirs(metric: Any) -> Callable[[], Any]:
        def measured() -> Any:
            metric.reset()
            for start in range(0, PICTURES, BATCH):
                metric.update(made[start : start + BATCH], real=False)
                metric.update(true[start : start + BATCH], real=True)
            return metric.compute()

        return measured

    def seen_by_theirs() -> Tensor:
        metric = FrechetInceptionDistance(feature=_Seen(network), input_img_size=(3, SIDE, SIDE))
        metric.update(shown, real=False)
        return torch.as_tensor(metric.fake_features_sum)

    def scored_by_theirs() -> Tensor:
        metric = InceptionScore(feature=_Given(), splits=1)
        metric.update(made)
        return torch.as_tensor(metric.compute()[0])

    distances = theirs(FrechetInceptionDistance(feature=_Given(), input_img_size=(FEATURES, 1, 1)))
    kernels = theirs(KernelInceptionDistance(feature=_Given(), subsets=1, subset_size=PICTURES))
    return [
        Duel("FID's features / torchmetrics'", SEEN, lambda: sight.features(shown / 127.5 - 1).sum(0), seen_by_theirs),
        Duel("FID of features / torchmetrics'", PICTURES, lambda: fid(made, true), distances),
        Duel("KID of features / torchmetrics'", PICTURES, lambda: kid(made, true), lambda: kernels()[0]),
        Duel("inception score / torchmetrics'", PICTURES, lambda: inception_score(made, 1)[0], scored_by_theirs),
    ]


def _of_pictures(generator: torch.Generator) -> list[Duel]:
    made, true = torch.rand(2, SEEN, 3, WIDTH, WIDTH, generator=generator) * 2 - 1

    def one_by_one(figure: Callable[..., Any], **told: Any) -> Callable[[], Any]:
        pairs = [tuple(((side.double() + 1) / 2).numpy() for side in pair) for pair in zip(made, true, strict=True)]
        return lambda: [figure(*pair, data_range=1, **told) for pair in pairs]

    def varied() -> Tensor:
        return torch.as_tensor(TotalVariation(reduction="none")(made)) / (2 * 3 * WIDTH * (WIDTH - 1))

    silent = torch.ones(SEEN, WIDTH, WIDTH, dtype=torch.bool)
    window = {"channel_axis": 0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return [
        Duel("SSIM / scikit-image's", SEEN, lambda: ssim(made, true), one_by_one(structural_similarity, **window)),
        Duel("PSNR / scikit-image's", SEEN, lambda: psnr(made, true), one_by_one(peak_signal_noise_ratio)),
        Duel("total variation / torchmetrics'", SEEN, lambda: silent_total_variation(made, silent), varied),
    ]


def _of_masks(generator: torch.Generator) -> list[Duel]:
    found, wanted = torch.randint(0, CLASSES, (2, SEEN, WIDTH, WIDTH), generator=generator)

    def one_by_one(figure: Any) -> Callable[[], Tensor]:
        return lambda: torch.stack([figure(*pair) for pair in zip(found, wanted, strict=True)])

    overlap, dice = (one_by_one(figure(CLASSES)) for figure in (MulticlassJaccardIndex, MulticlassF1Score))
    return [
        Duel("mask IoU / torchmetrics'", SEEN, lambda: mask_iou(found, wanted, CLASSES), overlap),
        Duel("mask F1 / torchmetrics'", SEEN, lambda: mask_f1(found, wanted, CLASSES), dice),
    ]


def _of_conditions(generator: torch.Generator) -> list[Duel]:
    found, wanted = torch.rand(2, SEEN, 3, WIDTH, WIDTH, generator=generator)
    near, far = found[:, 0], wanted[:, 0]
    everywhere = torch.ones(SEEN, WIDTH, WIDTH, dtype=torch.bool)

    def one_by_one(figure: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.stack([figure(*pair) for pair in zip(found, wanted, strict=True)])

    def ranged(found: Tensor, wanted: Tensor) -> Tensor:
        return mean_absolute_error(min_max(found[:1]), min_max(wanted[:1]))

    apart = one_by_one(mean_absolute_error)
    return [
        Duel("condition L1 / torchmetrics'", SEEN, lambda: condition_l1(found, wanted, everywhere), apart),
        Duel("depth MAE / torchmetrics'", SEEN, lambda: depth_mae(near, far), one_by_one(ranged)),
    ]


def _of_embeddings(generator: torch.Generator) -> list[Duel]:
    found, wanted = torch.randn(2, PICTURES, FEATURES, generator=generator)

    def cosine() -> Tensor:
        return torch.as_tensor(cosine_similarity(found, wanted, reduction="none"))

    named = torch.randint(0, CLASSES, (PICTURES,), generator=generator)
    logits = found[:, :CLASSES]
    return [
        Duel(
            "class accuracy / torchmetrics'",
            PICTURES,
            lambda: class_accuracy(logits, named).mean(),
            lambda: multiclass_accuracy(logits, named, CLASSES, average="micro"),
        ),
        Duel("CLIP similarity / torchmetrics'", PICTURES, lambda: clip_similarity(found, wanted), cosine),
        Duel(
            "identity distance / torchmetrics'",
            PICTURES,
            lambda: identity_distance(found, wanted),
            lambda: 1 - cosine(),
        ),
    ]
