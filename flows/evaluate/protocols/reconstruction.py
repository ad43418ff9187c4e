"""Scenes made again from their own depths, from their own look, and from both (CnC, Tables 1 and 2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case, cases, shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.obeyed import Obeyed, obeyed
from sluice.flows.evaluate.outcome import BETTER
from sluice.flows.evaluate.populations import from_true, scores
from sluice.flows.evaluate.trees import guided, plain
from sluice.flows.evaluate.worded import text_similarity
from sluice.inference.metrics.lpips import lpips
from sluice.inference.metrics.ssim import ssim
from sluice.infra.models import MissingWeights
from sluice.preprocess.perception.vgg import load_lpips

NETWORKS = ("cnc",)
LAW = "two"
TEXT, DEPTHS, SEMANTICS, BOTH = "text alone", "depths", "semantics", "depths and semantics"
SSIM, LPIPS, DEPTH = "SSIM", "LPIPS (VGG-16)", "depth MAE"
WEIGHTS = "lpips-vgg"
SAYS = "Depths and semantics together make a scene again better than a text, and than either alone."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Likeness to the scene's own picture, and its depth."""
    told = figures(contest)
    sets = [from_true(contest.judges), scores(contest.judges)]
    seen = contest("reconstruction", cases(LAW, count), methods(contest), told, together=True, populations=sets)
    rivals = {SSIM: (TEXT, DEPTHS, SEMANTICS), DEPTH: (TEXT, SEMANTICS)}
    if LPIPS in {own.figure for own in told}:
        rivals[LPIPS] = (TEXT, DEPTHS, SEMANTICS)
    verdicts = {
        f"{figure}, against {own}": seen.better(figure, BOTH, own) for figure, some in rivals.items() for own in some
    }
    return seen.estimates(), [Claim(SAYS, BETTER, verdicts)]


def methods(contest: Contest) -> dict[str, Tree]:
    """All under the scene's caption; what a scene looks like is said by its own picture and background."""

    def told(**of: tuple[str, str]) -> Tree:
        def tree(case: Case) -> Any:
            images = {name: [case.image(field) for field in fields] for name, fields in of.items()}
            fusers = {"fusers": contest.networks.of("cnc"), "mask": case.image("mask"), **images}
            model = {"kind": "compose_and_conquer", "over": contest.sampling.alone, **fusers}
            return plain(guided(model, contest.sampling.guidance))

        return tree

    depths, exemplars = ("fg_depth", "bg_depth"), ("image", "background")
    return {
        TEXT: lambda _: plain(guided(contest.sampling.alone, contest.sampling.guidance)),
        DEPTHS: told(depths=depths),
        SEMANTICS: told(exemplars=exemplars),
        BOTH: told(depths=depths, exemplars=exemplars),
    }


def figures(contest: Contest) -> list[Obeyed]:
    """LPIPS only where its weights are."""
    some = [Obeyed(SSIM, "-1 to 1", "higher", lambda pictures, of: ssim(pictures, _true(of)))]
    some += [obeyed(contest.judges, None)["depth"], text_similarity(contest.sampling.base)]
    try:
        network = load_lpips(found(WEIGHTS).path)
    except MissingWeights:
        contest.leave_out(LPIPS, WEIGHTS)
        return some
    return [*some, Obeyed(LPIPS, "distance", "lower", lambda pictures, of: lpips(network, pictures, _true(of)))]


def _true(some: list[Case]) -> Tensor:
    return torch.as_tensor(shown(some, "image") * 2 - 1)
