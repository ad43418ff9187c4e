"""Scenes made again from their own depths, from their own look, and from both (CnC, Tables 1 and 2).

Under a scene's own caption, and under none: a caption says much of what the exemplars would.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import AnyCase, shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import BETTER
from sluice.flows.evaluate.trees import Node, guided, plain
from sluice.flows.evaluate.worded import SIMILARITY, embeds, text_similarity
from sluice.flows.evaluate.world import Lack
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.inference.metrics.lpips import lpips
from sluice.inference.metrics.ssim import ssim
from sluice.infra.weights.models import MissingWeights
from sluice.preprocess.perception.vgg import load_lpips

NETWORKS = ("cnc",)
TEXT, DEPTHS, SEMANTICS, BOTH = "text alone", "depths", "semantics", "depths and semantics"
UNTOLD = "without a caption"
SSIM, LPIPS, DEPTH = "SSIM", "LPIPS (VGG-16)", "depth MAE"
WEIGHTS = "lpips-vgg"
NO_EMBEDDINGS = Lack(
    "the base embeds no texts and pictures alike", "a `--base` whose text_encoder has its projection, and image_encoder"
)


def untold(method: str) -> str:
    """What a method is called that has no caption."""
    return f"{method}, {UNTOLD}"


RIVALS = {
    SSIM: (TEXT, untold(DEPTHS), untold(SEMANTICS)),
    DEPTH: (TEXT, untold(SEMANTICS)),
    LPIPS: (TEXT, untold(DEPTHS), untold(SEMANTICS)),
}
SAYS = "Depths and semantics together, without a caption, make a scene again better than a text, and than either alone."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Likeness to the scene's own picture, and its depth."""
    told = figures(contest)
    sets, some = [*contest.from_true(), *contest.world.scores], contest.world.composed(count)
    seen = contest("reconstruction", some, methods(contest), told, together=True, populations=sets)
    verdicts = {
        f"{figure}, against {own}": seen.better(figure, untold(BOTH), own)
        for figure in RIVALS
        if figure in {measured.figure for measured in told}
        for own in RIVALS[figure]
    }
    return seen.estimates(), [Claim(SAYS, BETTER, verdicts)]


def pictures(contest: Contest) -> int:
    """Of each case and seed. Raises ConfigError for data without what scenes are made again of."""
    return len(methods(contest)) if contest.world.composed(MINIMUM) else 0


def methods(contest: Contest) -> dict[str, Tree]:
    """Each under the caption and, but for the text, under none; exemplars are a scene's own picture and background."""
    alone, scale = contest.sampling.alone, contest.sampling.guidance
    depths, exemplars = {"depths": ("fg_depth", "bg_depth")}, {"exemplars": ("image", "background")}
    fused = {DEPTHS: depths, SEMANTICS: exemplars, BOTH: depths | exemplars}

    def told(over: Node, of: dict[str, tuple[str, str]]) -> Tree:
        def tree(case: AnyCase) -> Node:
            images = {name: [case.image(field) for field in fields] for name, fields in of.items()}
            fusers = {"fusers": contest.networks.of("cnc"), "mask": case.image("mask"), **images}
            return plain(guided({"kind": "compose_and_conquer", "over": over, **fusers}, scale))

        return tree

    return {
        TEXT: lambda _: plain(guided(alone, scale)),
        **{name: told(alone, of) for name, of in fused.items()},
        **{untold(name): told({**alone, "prompt": ""}, of) for name, of in fused.items()},
    }


def figures(contest: Contest) -> list[Obeyed]:
    """LPIPS only where its weights are, depth only where something sees it, likeness to words where the base can."""
    some = [Obeyed(SSIM, "-1 to 1", "higher", lambda pictures, of: ssim(pictures, _true(of)))]
    some += [contest.world.obeyed["depth"]] if contest.has(DEPTH, ["depth"]) else []
    if embeds(contest.sampling.base):
        some.append(text_similarity(contest.sampling.base))
    else:
        contest.leave_out(SIMILARITY, NO_EMBEDDINGS)
    try:
        network = load_lpips(found(WEIGHTS).path)
    except MissingWeights:
        contest.leave_out(LPIPS, Lack.of(WEIGHTS))
        return some
    return [*some, Obeyed(LPIPS, "distance", "lower", lambda pictures, of: lpips(network, pictures, _true(of)))]


def _true(some: Sequence[AnyCase]) -> Tensor:
    return torch.as_tensor(shown(some, "image") * 2 - 1)
