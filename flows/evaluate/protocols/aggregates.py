"""AMDM's methods: models that know where, in words, and by a picture, each alone and drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from sluice.flows.evaluate.contest import Tree
from sluice.flows.evaluate.crowds import Crowd
from sluice.flows.evaluate.methods import Sampling
from sluice.flows.evaluate.trees import Node, guided, plain, text

TEXT, BOXES, PICTURE, TOLD_BOTH = "text alone", "boxes alone", "reference alone", "one model told boxes and text"
AMDM, WITH_PICTURE, THREE = "AMDM, text and boxes", "AMDM, boxes and reference", "AMDM of three"
BOXES_FIRST = "AMDM, boxes first"
WEIGHTS = {2: [0.5], 3: [0.47, 0.5]}
"""Published, by the number of models."""
OTHER_WEIGHTS = (0.3, 0.7)
TOGETHER = (1, 3, 10)
"""Steps; the default is 6, and the paper's 3."""
PICTURES_WEIGHT = [0.45]
"""The published one beside an IP-Adapter."""
ETAS: dict[str, dict[str, Any]] = {"": {}, "eta absolute": {"eta_absolute": [0.35, 0.43]}, "eta 0": {"eta": [0.0, 0.0]}}
"""Shares of the distance, by default; the published 45 and 55 over 128, the root of that latent's size; no drawing."""
STARTS = {"": {}, "start independent": {"start": "independent"}}
HOWS = {"": {}, "printed": {"how": "printed"}}


def methods(sampling: Sampling, pictured: bool = True) -> dict[str, Tree]:
    """Each model alone, one told as much, and aggregates, the first of which goes on alone.

    Those that are told a picture are of cases that are `pictured`.
    """
    text_alone, boxes_alone, picture_alone, told_both = alone(sampling)
    told = {
        TEXT: text_alone,
        BOXES: boxes_alone,
        TOLD_BOTH: told_both,
        AMDM: aggregated([text_alone, boxes_alone], WEIGHTS[2]),
    }
    shown = {
        PICTURE: picture_alone,
        WITH_PICTURE: aggregated([boxes_alone, picture_alone], PICTURES_WEIGHT),
        THREE: aggregated([text_alone, picture_alone, boxes_alone], WEIGHTS[3]),
    }
    return told | shown if pictured else told


def variants(sampling: Sampling) -> dict[str, Tree]:
    """Of text and boxes, the default beside every option that is another."""
    text_alone, boxes_alone, *_ = alone(sampling)
    both = [text_alone, boxes_alone]
    return {
        AMDM: aggregated(both, WEIGHTS[2]),
        BOXES_FIRST: aggregated(both[::-1], WEIGHTS[2]),
        **{name: aggregated(both, WEIGHTS[2], **told) for name, told in options().items()},
        **{f"AMDM, w {share:g}": aggregated(both, [share]) for share in OTHER_WEIGHTS},
        **{f"AMDM, s {steps}": aggregated(both, WEIGHTS[2], together=steps) for steps in TOGETHER},
    }


def options() -> dict[str, dict[str, Any]]:
    """Every one of eta, start and interpolation that is not the default."""
    found: dict[str, dict[str, Any]] = {}
    for chosen in product(ETAS.items(), STARTS.items(), HOWS.items()):
        if name := ", ".join(own for own, _ in chosen if own):
            found[f"AMDM, {name}"] = {key: value for _, told in chosen for key, value in told.items()}
    return found


def alone(sampling: Sampling) -> tuple[Tree, Tree, Tree, Tree]:
    """By text, by boxes without a caption, by the scene's own picture without one, by boxes under the caption."""
    base, family = text(sampling.base), sampling.base
    silent = text(sampling.base, "")

    def step(model: Node) -> Node:
        return plain(guided(model, sampling.guidance))

    return (
        lambda _: step(base),
        lambda case: step(placed(case, silent, family)),
        lambda case: step(
            {"kind": "reference", "over": silent, "network": f"{family}/ip_adapter", "image": case.image("image")}
        ),
        lambda case: step(placed(case, base, family)),
    )


def placed(case: Crowd, over: Node, family: str) -> Node:
    """The box model told things and where they are."""
    return {"kind": "boxes", "over": over, "network": f"{family}/unet_boxes", "things": case.things}


def aggregated(models: Sequence[Tree], weights: Sequence[float], **told: Any) -> Tree:
    """Drawn together in the first steps."""
    return lambda case: {"kind": "amdm", "of": [own(case) for own in models], "weights": weights, **told}
