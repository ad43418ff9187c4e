"""Foreground and background told apart: what is in front, and what each part looks like (CnC, Figs. 10 and 16).

A case is an object of one scene in front of the object of another, where both would be. Depths say where they are: by
Compose and Conquer's two, or by a ControlNet's single one of both together. What each part looks like is said by two
exemplars, and seen by the embeddings of a picture's parts, each on black.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count as numbers
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case, kept_image, other, shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.methods import BASE, CONTROLNET
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN
from sluice.flows.evaluate.populations import scores
from sluice.flows.evaluate.trees import guided, plain
from sluice.flows.evaluate.worded import text_similarity
from sluice.inference.metrics.front import front_accuracy
from sluice.inference.metrics.localisation import localisation_similarity
from sluice.infra.pretrained import load_network
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.render import FIRST
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.words import plain_caption

NETWORKS = ("cnc", "controlnet-depth")
OVERLAP = 40
"""Pixels that both objects have."""
OTHER_LAMBDAS = (0.5, 2.0)
CONDITION = "foreground before background"
TEXT, ONE_DEPTH = BASE.name, "ControlNet, one depth of both"
DEPTHS, CNC = "CnC, depths alone", "CnC"
UNGUIDED, HADAMARD = "CnC without soft guidance", "CnC, hadamard"
FRONT, LOCAL = "right one in front", "localisation similarity"
IN_FRONT = "Compose and Conquer places objects in front of others as asked, more often than one depth of both does."
LOCALISES = "Soft guidance localises semantics: exemplars are seen in their own parts more than without it."
DEFAULTS = "Compose and Conquer's defaults, exclude and lambdas of 1, are those that measured best."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Both figures of every method."""
    some = list(islice(overlapping(), count))
    found = contest(
        CONDITION, some, methods(contest), figures(contest), together=True, populations=[scores(contest.judges)]
    )
    return found.estimates(), [
        Claim(IN_FRONT, BETTER, {f"against {own}": found.better(FRONT, DEPTHS, own) for own in (TEXT, ONE_DEPTH)}),
        Claim(LOCALISES, BETTER, {f"against {own}": found.better(LOCAL, CNC, own) for own in (UNGUIDED, DEPTHS)}),
    ]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """The same of the default and every other option."""
    some = list(islice(overlapping(), count))
    found = contest(
        CONDITION, some, variants(contest), figures(contest), together=True, populations=[scores(contest.judges)]
    )
    return found.estimates(), [Claim(DEFAULTS, UNBEATEN, found.none_beats(LOCAL, CNC))]


def overlapping() -> Iterator[Case]:
    """Scenes of one object, of which another scene has one of another shape in the same place, without end."""
    for number in numbers():
        case = Case(number, "one")
        objects = [thing(own) for own in (case, other(case))]
        if objects[0].shape != objects[1].shape and both(case).sum() >= OVERLAP:
            yield replace(case, words=" and ".join(map(plain_caption, objects)))


def thing(case: Case) -> Thing:
    """The only one of a scene."""
    (own,) = case.scene.things
    assert isinstance(own, Thing)
    return own


def mask(case: Case) -> Array:
    """Where it is, bool `(height, width)`."""
    return np.asarray(case.truth.instances == FIRST)


def both(case: Case) -> Array:
    """Where the objects in front and behind would both be."""
    return mask(case) & mask(other(case))


def methods(contest: Contest) -> dict[str, Tree]:
    """Under both objects' names: each is told depths, exemplars or nothing."""

    def told(case: Case) -> list[dict[str, Any]]:
        return [one_depth(case, contest.place)]

    return {
        TEXT: contest.under(BASE, told),
        ONE_DEPTH: contest.under(CONTROLNET, told),
        DEPTHS: composed(contest, exemplars=None),
        UNGUIDED: composed(contest, guidance="none"),
        CNC: composed(contest),
    }


def variants(contest: Contest) -> dict[str, Tree]:
    """The default, hidden tokens with the weight of a logit of 0, and how strongly the exemplars speak."""
    return {
        CNC: composed(contest),
        HADAMARD: composed(contest, guidance="hadamard"),
        **{f"CnC, lambdas {own:g}": composed(contest, lambdas=[own, own]) for own in OTHER_LAMBDAS},
    }


def composed(contest: Contest, **how: Any) -> Tree:
    """By the fusers, guided."""
    return lambda case: plain(guided(fused(contest, case) | how, contest.sampling.guidance))


def fused(contest: Contest, case: Case) -> dict[str, Any]:
    """Depths of an object and of the scene behind it; what other scenes look like."""
    front, behind = exemplars(case)
    return {
        "kind": "compose_and_conquer",
        "over": contest.sampling.alone,
        "fusers": contest.networks.of("cnc"),
        "mask": case.image("mask"),
        "depths": [case.image("fg_depth"), other(case).image("depth")],
        "exemplars": [front.image("image"), behind.image("background")],
    }


def exemplars(case: Case) -> tuple[Case, Case]:
    """Two more scenes, of what the foreground and the background are to look like."""
    front = other(other(case))
    return front, other(front)


def one_depth(case: Case, place: Path) -> dict[str, Any]:
    """The depth of both together, for one network: the foreground's where it is, and behind it the other scene's."""
    whole = np.where(mask(case)[..., None], case.levels("fg_depth"), other(case).levels("depth"))
    return {"control": "depth", "image": kept_image(whole, place)}


def figures(contest: Contest) -> list[Obeyed]:
    """Which object is seen where both were asked for, and how alike parts and their exemplars are."""
    family = found(contest.sampling.base).path
    network: Any = load_network(CLIPVisionModelWithProjection, family, subfolder="image_encoder", dtype=torch.float32)

    @torch.no_grad()
    def embed(pictures: Tensor) -> Tensor:
        return torch.as_tensor(network(pictures).image_embeds)

    def local(pictures: Tensor, some: list[Case]) -> Tensor:
        masks = torch.stack([torch.from_numpy(mask(case)) for case in some])
        front, behind = zip(*map(exemplars, some), strict=True)
        wanted = (embed(shown(list(of), field) * 2 - 1) for of, field in ((front, "image"), (behind, "background")))
        return localisation_similarity(embed, pictures, masks, *wanted)

    return [
        Obeyed(FRONT, "share of pictures", "higher", lambda pictures, some: _in_front(contest.judges, pictures, some)),
        Obeyed(LOCAL, "cosine", "higher", local),
        text_similarity(contest.sampling.base),
    ]


@torch.no_grad()
def _in_front(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    shared = torch.stack([torch.from_numpy(both(case)) for case in some])
    front, behind = (
        torch.tensor([class_number(thing(own).shape) for own in each]) for each in (some, list(map(other, some)))
    )
    return front_accuracy(judges(pictures).classes().argmax(dim=1), shared, front, behind)
