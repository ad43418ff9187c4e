"""Foreground and background told apart: what is in front, and what each part looks like (CnC, Figs. 10 and 16).

A case is an object of one scene in front of the object of another, where both would be. Depths say where they are: by
Compose and Conquer's two, or by a ControlNet's single one, put together by who knows which object is in front. What
each part looks like is said by two exemplars, and seen by the embeddings of a picture's parts, each on black; then
there is no caption, which would say the same of both objects, or another thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case, other, shown
from sluice.flows.evaluate.claims import Claim, Curve, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.methods import BASE, CONTROLNET
from sluice.flows.evaluate.obeyed import Obeyed, seen_once
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN, Outcome
from sluice.flows.evaluate.populations import Population, scores
from sluice.flows.evaluate.protocols.fused import JOINT, composed
from sluice.flows.evaluate.protocols.overlap import (
    both,
    composite,
    exemplars,
    mask,
    one_depth,
    overlapping,
    pasted,
    thing,
)
from sluice.flows.evaluate.worded import text_similarity
from sluice.inference.metrics.bootstrap import of_mean
from sluice.inference.metrics.front import front_accuracy
from sluice.inference.metrics.localisation import localisation_similarities
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import class_number

NETWORKS = (JOINT, "controlnet-depth")
LAMBDAS = (0.5, 1, 2)
ORDERED, LIKENED = "foreground before background", "exemplars, no caption"
"""Under both objects' names, and under none."""
TEXT, ONE_DEPTH = BASE.name, "ControlNet, one depth of both"
DEPTHS, CNC = "CnC, depths alone", "CnC"
UNGUIDED, HADAMARD = "CnC without soft guidance", "CnC, hadamard"
TRUE, PASTED = "true pictures, one before the other", "the exemplars themselves"
FRONT, LOCAL = "right one in front", "localisation similarity"
OF_PART = ("localisation similarity of the foreground", "localisation similarity of the background")
IN_FRONT = "Compose and Conquer places objects in front of others as asked, more often than one depth of both does."
LOCALISES = "Soft guidance localises semantics: exemplars are seen in their own parts more than without it."
DEFAULTS = "Compose and Conquer's defaults, exclude and lambdas of 1, are those that measured best."
SWEEPS: dict[str, Callable[[float], tuple[float, float]]] = {
    "of both": lambda own: (own, own),
    "of the foreground": lambda own: (own, 1),
    "of the background": lambda own: (1, own),
}
"""Which of the two lambdas is another than 1."""


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """What is in front under both names, and what parts are like under none."""
    ordered = compared(contest, ORDERED, count, ordering(contest), placement(contest), [scores(contest.judges)])
    likened = compared(contest, LIKENED, count, likening(contest), likeness(contest), [])
    claims = [
        Claim(
            IN_FRONT,
            BETTER,
            {f"against {own}": ordered.better(FRONT, DEPTHS, own) for own in (TEXT, ONE_DEPTH)},
        ),
        Claim(LOCALISES, BETTER, {f"against {own}": likened.better(LOCAL, CNC, own) for own in (UNGUIDED, DEPTHS)}),
    ]
    return [*ordered.estimates(), *likened.estimates(), *_ceilings(contest, count)], claims


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """The likeness of the default and every other option; and of each part along the lambdas."""
    found = compared(contest, LIKENED, count, variants(contest), likeness(contest, parts=True), [])
    contest.curves.extend(curves(found))
    return found.estimates(), [Claim(DEFAULTS, UNBEATEN, found.none_beats(LOCAL, CNC))]


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return len(ordering(contest)) + len(likening(contest))


def ordering(contest: Contest) -> dict[str, Tree]:
    """Each is told depths, exemplars or nothing."""

    def told(case: Case) -> list[dict[str, Any]]:
        return [one_depth(case, contest.place)]

    return {
        TEXT: contest.under(BASE, told),
        ONE_DEPTH: contest.under(CONTROLNET, told),
        DEPTHS: composed(contest, exemplars=None),
        CNC: composed(contest),
    }


def likening(contest: Contest) -> dict[str, Tree]:
    """All are told depths, and all but one exemplars."""
    return {
        DEPTHS: composed(contest, exemplars=None),
        UNGUIDED: composed(contest, guidance="none"),
        CNC: composed(contest),
    }


def variants(contest: Contest) -> dict[str, Tree]:
    """The default, hidden tokens with the weight of a logit of 0 or not hidden, and how strongly exemplars speak."""
    return {
        CNC: composed(contest),
        HADAMARD: composed(contest, guidance="hadamard"),
        UNGUIDED: composed(contest, guidance="none"),
        **{
            swept(which, own): composed(contest, lambdas=list(of(own)))
            for which, of in SWEEPS.items()
            for own in LAMBDAS
            if own != 1
        },
    }


def swept(which: str, own: float) -> str:
    """What the method is called that has some lambda, of 1 the default."""
    return CNC if own == 1 else f"CnC, lambda {which} {own:g}"


def curves(found: Outcome) -> Iterator[Curve]:
    """How each part is like its exemplar, along the lambda of both, and of either."""
    for figure in OF_PART:
        for which in SWEEPS:
            values = [found.values[figure, swept(which, own)] for own in LAMBDAS]
            told = figure, LIKENED, f"lambda {which}", "lambda"
            yield Curve(*told, list(LAMBDAS), list(map(of_mean, values)), len(values[0]))


def compared(
    contest: Contest,
    condition: str,
    count: int,
    trees: dict[str, Tree],
    told: list[Obeyed],
    populations: Sequence[Population],
) -> Outcome:
    """Methods over the first cases, under both names or under none."""
    some = [replace(case, words="") if condition == LIKENED else case for case in islice(overlapping(), count)]
    return contest(condition, some, trees, told, together=True, populations=populations)


def placement(contest: Contest) -> list[Obeyed]:
    """Which object is seen where both were asked for, and how well the words are met."""
    front = Obeyed(FRONT, "share of pictures", "higher", partial(_in_front, contest.judges))
    return [front, text_similarity(contest.sampling.base)]


def likeness(contest: Contest, parts: bool = False) -> list[Obeyed]:
    """How alike parts and their exemplars are, also one by one."""
    alike = seen_once(similarities(contest))

    def of(part: int) -> Callable[[Tensor, list[Case]], Tensor]:
        return lambda pictures, some: alike(pictures, some)[part]

    return [
        Obeyed(LOCAL, "cosine", "higher", lambda pictures, some: alike(pictures, some).mean(dim=0)),
        *(Obeyed(name, "cosine", "higher", of(part)) for part, name in enumerate(OF_PART) if parts),
    ]


def similarities(contest: Contest) -> Callable[[Tensor, list[Case]], Tensor]:
    """Of both parts and their exemplars, `(2, batch)`."""
    family = found(contest.sampling.base).path
    network: Any = load_network(CLIPVisionModelWithProjection, family, subfolder="image_encoder", dtype=torch.float32)

    @torch.no_grad()
    def embed(pictures: Tensor) -> Tensor:
        return torch.as_tensor(network(pictures).image_embeds)

    @cache
    def wanted(some: tuple[Case, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Masks and both exemplars, which are the same for every method."""
        front, behind = zip(*map(exemplars, some), strict=True)
        masks = torch.stack([torch.from_numpy(mask(case)) for case in some])
        return masks, embed(shown(front, "image") * 2 - 1), embed(shown(behind, "background") * 2 - 1)

    return lambda pictures, some: localisation_similarities(embed, pictures, *wanted(tuple(some)))


def _ceilings(contest: Contest, count: int) -> Iterator[Estimate]:
    """The figures of what would be right: true pictures put together, and exemplars in their own parts."""
    some = list(islice(overlapping(), count))
    for condition, method, levels, (figure, *_) in (
        (ORDERED, TRUE, composite, placement(contest)),
        (LIKENED, PASTED, pasted, likeness(contest)),
    ):
        right = torch.from_numpy(np.stack(list(map(levels, some)))).permute(0, 3, 1, 2) * 2 - 1
        values = figure.of(right, some)
        yield Estimate(figure.figure, condition, method, figure.unit, of_mean(values), len(some))


@torch.no_grad()
def _in_front(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    shared = torch.stack([torch.from_numpy(both(case)) for case in some])
    front, behind = (
        torch.tensor([class_number(thing(own).shape) for own in each]) for each in (some, list(map(other, some)))
    )
    return front_accuracy(judges(pictures).classes().argmax(dim=1), shared, front, behind)
