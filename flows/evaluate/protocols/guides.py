"""Conditions as energies: what asks for one, and the figure that says how far pictures are from it.

A scene says who and what is to be seen, another one where points and parts lie and in which style, so that no two
conditions of a case are one picture's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import SIZE, Case, other, shown
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.worded import text_distance
from sluice.inference.metrics.identity import identity_distance
from sluice.inference.metrics.landmarks import landmark_error
from sluice.inference.metrics.mean_iou import mask_iou
from sluice.inference.metrics.style import style_distance
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.words import plain_caption

STYLE_STAGE = 0


@dataclass(frozen=True)
class Guide:
    """An energy of a case as jobs have it, but for its strength; the figure; and the strength.

    Faces led by identity alone left the world at 0.005, by landmarks or parts alone at 0.02.
    """

    energy: Callable[[Case], dict[str, Any]]
    figure: Obeyed
    rho: float


def guides(base: str, judges: Judges) -> dict[str, Guide]:
    """By name. What judges pictures guided them too, but for styles, which guide by the judges of latents."""
    return {
        "identity": Guide(
            lambda case: {"kind": "identity", "by": f"{base}/identity", "image": case.image("image")},
            Obeyed("identity distance", "1 - cosine", "lower", _identity(base)),
            0.001,
        ),
        "landmarks": Guide(
            lambda case: {"kind": "landmarks", "by": f"{base}/judges", "image": other(case).image("image")},
            Obeyed("landmark error", "picture heights", "lower", lambda *given: _landmarks(judges, *given)),
            0.0025,
        ),
        "parsing": Guide(
            lambda case: {"kind": "parsing", "by": f"{base}/judges", "image": other(case).image("image")},
            Obeyed("mask IoU", "intersection over union", "higher", lambda *given: _parsing(judges, *given)),
            0.0025,
        ),
        "text": Guide(
            lambda case: {"kind": "text", "text": words(case)},
            text_distance(base, words),
            0.005,
        ),
        "style": Guide(
            lambda case: {"kind": "style", "by": f"{base}/latent_judges", "image": other(case).image("image")},
            Obeyed("style distance", "of the judges' features", "lower", lambda *given: _style(judges, *given)),
            0.005,
        ),
    }


def words(case: Case) -> str:
    """Of a face its caption; of a scene its first thing, without how it is drawn: that is for the style to say."""
    thing = next((own for own in case.scene.things if isinstance(own, Thing)), None)
    return case.prompt if thing is None else plain_caption(thing)


def _identity(base: str) -> Callable[[Tensor, list[Case]], Tensor]:
    network: Any = load_network(CLIPVisionModelWithProjection, found(f"{base}/identity").path, dtype=torch.float32)

    @torch.no_grad()
    def distance(pictures: Tensor, some: list[Case]) -> Tensor:
        wanted = network(shown(some, "image") * 2 - 1).image_embeds
        return identity_distance(network(pictures).image_embeds, wanted)

    return distance


@torch.no_grad()
def _landmarks(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    wanted = torch.from_numpy(np.stack([other(case).truth.landmarks[0] for case in some])).float()
    return landmark_error(judges(pictures).points("landmarks"), wanted, SIZE)


@torch.no_grad()
def _parsing(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    wanted = torch.from_numpy(np.stack([other(case).truth.semantic for case in some])).long()
    return mask_iou(judges(pictures).classes().argmax(dim=1), wanted, len(CLASSES))


@torch.no_grad()
def _style(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    wanted = shown([other(case) for case in some], "image") * 2 - 1
    return style_distance(judges.maps(pictures, STYLE_STAGE), judges.maps(wanted, STYLE_STAGE))
