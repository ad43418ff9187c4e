"""Unite and Conquer on faces: parts, a sketch and a text (Unite and Conquer, Table 1).

A case is a face: one network is told its parts, another its edges, both its caption. A picture is judged by its own
parts, parsed anew, by its edges, and by how near its embedding is to the caption's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Case, cases, other, shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.extracted import extractors
from sluice.flows.evaluate.methods import CONTROLNET
from sluice.flows.evaluate.obeyed import Obeyed, seen_once
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN
from sluice.flows.evaluate.trees import Node, guided, plain, text, united
from sluice.flows.evaluate.worded import text_distance
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.mask_f1 import mask_f1
from sluice.inference.metrics.mean_iou import mask_iou
from sluice.preprocess.tabletop.classes import CLASSES

CONTROLS = ("parts", "canny")
NETWORKS = tuple(f"{CONTROLNET.network}-{control}" for control in CONTROLS)
WEIGHT = 1.0
"""Of each model, the paper's for faces."""
UNITE, BOTH_AT_ONCE = "Unite", "one model told both"
AVERAGES = ("average of predictions", "average of guided predictions")
ALONE = {"parts": "parts alone", "canny": "sketch alone"}
OTHER_WEIGHTS = (1.5, 2.0, 3.0)
PARTS_WEIGH_MORE, SKETCH_WEIGHS_MORE = "Unite, parts weigh 2", "Unite, sketch weighs 2"
TORN = {UNITE: (WEIGHT, WEIGHT), PARTS_WEIGH_MORE: (2.0, WEIGHT), SKETCH_WEIGHS_MORE: (WEIGHT, 2.0)}
"""What both models weigh. Reliability would change nothing: of controls over one base both null predictions are its."""
IOU, F1, EDGES = "mask IoU", "mask F1", "edge F1"
SAYS = "Unite shows a face's parts and its sketch better than either model, their average, or one model told both."
FOLLOWS = "Where a sketch is another face's than the parts, Unite follows the one that weighs more."
DEFAULTS = "Unite's default for faces, a weight of 1 for each, is the one that measured best."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every method, parts and edges; of what one model alone is told, what the other one is."""
    found = contest("faces", cases("faces", count), methods(contest), figures(contest), together=True)
    rivals = dict.fromkeys((*AVERAGES, BOTH_AT_ONCE), (F1, EDGES)) | {ALONE["canny"]: (F1,), ALONE["parts"]: (EDGES,)}
    verdicts = {f"{by}, against {own}": found.better(by, UNITE, own) for own, some in rivals.items() for by in some}
    torn = contest(
        "parts and sketch of two faces",
        cases("faces", count),
        torn_between(contest),
        torn_figures(contest),
        together=True,
        populations=[],
    )
    follows = {
        "parts": torn.better(F1, PARTS_WEIGH_MORE, UNITE),
        "sketch": torn.better(EDGES, SKETCH_WEIGHS_MORE, UNITE),
    }
    claims = [Claim(SAYS, BETTER, verdicts), Claim(FOLLOWS, BETTER, follows)]
    return [*found.estimates(), *torn.estimates()], claims


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return len(methods(contest)) + len(torn_between(contest))


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """The default, and other weights."""
    found = contest("faces", cases("faces", count), variants(contest), figures(contest), together=True)
    best = found.none_beats(F1, UNITE) | found.none_beats(EDGES, UNITE)
    return found.estimates(), [Claim(DEFAULTS, UNBEATEN, best)]


def methods(contest: Contest) -> dict[str, Tree]:
    """Each control alone, both by one model, averaged, united."""
    scale = contest.sampling.guidance

    def alone(*controls: str) -> Tree:
        return lambda case: plain(guided(told(contest, case, *controls), scale))

    return {
        "text alone": lambda _: plain(guided(text(contest.sampling.base), scale)),
        **{name: alone(control) for control, name in ALONE.items()},
        BOTH_AT_ONCE: alone(*CONTROLS),
        # Weights of 1 in all leave no null prediction; those of the guidance in all are each prediction guided.
        **{name: unite(contest, whole / 2) for name, whole in zip(AVERAGES, (1.0, scale), strict=True)},
        UNITE: unite(contest, WEIGHT),
    }


def variants(contest: Contest) -> dict[str, Tree]:
    """By what each model weighs."""
    return {UNITE: unite(contest, WEIGHT)} | {f"Unite, weights {own:g}": unite(contest, own) for own in OTHER_WEIGHTS}


def torn_between(contest: Contest) -> dict[str, Tree]:
    """United under a face's parts and another one's edges, by what they weigh."""

    def of(weights: tuple[float, float]) -> Tree:
        return lambda case: plain(united([told(contest, case, "parts"), told(contest, other(case), "canny")], weights))

    return {name: of(weights) for name, weights in TORN.items()}


def unite(contest: Contest, weight: float) -> Tree:
    """A model for each control, of one weight."""
    return lambda case: plain(united([told(contest, case, own) for own in CONTROLS], weight))


def told(contest: Contest, case: Case, *controls: str) -> Node:
    """The base under controls of a case."""
    given = [{"control": own, "image": case.image(own)} for own in controls]
    return CONTROLNET.model(text(contest.sampling.base), contest.networks, given)


def torn_figures(contest: Contest) -> list[Obeyed]:
    """Parts, parsed anew, of the one face, and edges of the other."""
    parts, _, edges, _ = figures(contest)
    return [parts, replace(edges, of=lambda pictures, some: edges.of(pictures, list(map(other, some))))]


def figures(contest: Contest) -> list[Obeyed]:
    """Parts, parsed anew, edges, and what the caption says."""
    judges, edges = contest.judges, extractors(contest.judges, None)["canny"]

    @torch.no_grad()
    def classes(pictures: Tensor, _: list[Case]) -> Tensor:
        return judges(pictures).classes().argmax(dim=1)

    seen = seen_once(classes)

    def parsed(metric: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[[Tensor, list[Case]], Tensor]:
        def measured(pictures: Tensor, some: list[Case]) -> Tensor:
            wanted = torch.from_numpy(np.stack([case.truth.semantic for case in some])).long()
            return metric(seen(pictures, some), wanted, len(CLASSES))

        return measured

    def drawn(pictures: Tensor, some: list[Case]) -> Tensor:
        return edge_f1(edges(pictures)[:, 0] > 0, shown(some, "canny")[:, 0] > 0)

    said = text_distance(contest.sampling.base, lambda case: case.prompt)
    return [
        Obeyed(F1, "share", "higher", parsed(mask_f1)),
        Obeyed(IOU, "share", "higher", parsed(mask_iou)),
        Obeyed(EDGES, "share", "higher", drawn),
        said,
    ]
