"""Unite and Conquer on scenes: one model is told a thing in words, another the shape of the thing beside it (Sec. 5).

Cases are pairs of things of two shapes. The text model reads the farther one's plain caption, the class model has the
nearer one's shape, which is what it was trained to be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count as numbers
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.obeyed import Obeyed, seen_once
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN
from sluice.flows.evaluate.trees import Node, guided, plain, text, united
from sluice.flows.tabletop.reading import SMALLEST, colour_shown, read_all, to_bytes
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.words import plain_caption, with_article

PARTS = ("unet_class", "judges")
WEIGHT = 5.0
"""Of each model, the paper's for scenes."""
RELIED_ON = (0.8, 0.2)
"""The text model, whose null prediction is of all scenes, and the class model; found on 64 scenes of their own."""
UNITE, TWO_TEXTS = "Unite", "Unite of two texts"
"""The second one in place of a class model: what is lost by it tells the class model's share from the method's."""
BASELINES = (
    "text alone",
    "class alone",
    "average of predictions",
    "average of guided predictions",
    "one model told both",
)
BOTH = "both things shown"
SAYS = "Unite shows what a text and a class ask for more often than either model, averages, or one model told both."
DEFAULTS = "Unite's defaults for scenes, the text relied on for 0.8 and its schedule, are those that measured best."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """How often both things are in the picture, and either."""
    found = contest("scenes", list(islice(pairs(), count)), methods(contest), figures(contest.judges))
    return found.estimates(), [
        Claim(SAYS, BETTER, {f"against {own}": found.better(BOTH, UNITE, own) for own in BASELINES})
    ]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """The same of the default and every other option."""
    found = contest("scenes", list(islice(pairs(), count)), variants(contest), figures(contest.judges))
    return found.estimates(), [Claim(DEFAULTS, UNBEATEN, found.none_beats(BOTH, UNITE))]


def pairs() -> Iterator[Case]:
    """Scenes of two things whose shapes differ, without end."""
    for number in numbers():
        case = Case(number, "two")
        if len({thing.shape for thing in things(case)}) == 2:
            yield case


def things(case: Case) -> tuple[Thing, Thing]:
    """The one that the text names, and the nearer one, of which the class model has the shape."""
    near, far = sorted((own for own in case.scene.things if isinstance(own, Thing)), key=lambda thing: thing.z)
    return far, near


def methods(contest: Contest) -> dict[str, Tree]:
    """Alone and plainly averaged, told both, united; guidance of averages and of single models is the same."""
    base, scale = contest.sampling.base, contest.sampling.guidance

    def both(case: Case) -> Node:
        return text(base, " and ".join(map(plain_caption, things(case))))

    return {
        "text alone": lambda case: plain(guided(worded(base, case), scale)),
        "class alone": lambda case: plain(guided(classed(base, case), scale)),
        # Weights that sum to 1 leave no null prediction: it is the mean of what both models predict.
        "average of predictions": unite(base, 0.5),
        # The mean of two predictions guided by s is the united one of weights s / 2.
        "average of guided predictions": unite(base, scale / 2),
        "one model told both": lambda case: plain(guided(both(case), scale)),
        TWO_TEXTS: lambda case: plain(united([worded(base, case), named(base, case)], WEIGHT, RELIED_ON)),
        UNITE: unite(base, WEIGHT, *RELIED_ON),
    }


def variants(contest: Contest) -> dict[str, Tree]:
    """The default, both relied on equally or one alone, the other one's schedule."""
    base = contest.sampling.base
    return {
        UNITE: unite(base, WEIGHT, *RELIED_ON),
        "Unite, equal reliability": unite(base, WEIGHT),
        "Unite, text relied on": unite(base, WEIGHT, 1.0, 0.0),
        "Unite, class relied on": unite(base, WEIGHT, 0.0, 1.0),
        "Unite, class first": lambda case: plain(
            united([classed(base, case), worded(base, case)], WEIGHT, RELIED_ON[::-1])
        ),
    }


def unite(base: str, weight: float, *reliabilities: float) -> Tree:
    """Both models of one weight."""
    return lambda case: plain(united([worded(base, case), classed(base, case)], weight, reliabilities))


def worded(base: str, case: Case) -> Node:
    """The text model told the farther thing."""
    return text(base, plain_caption(things(case)[0]))


def named(base: str, case: Case) -> Node:
    """The text model told the nearer thing's shape, as the class model is."""
    return text(base, with_article(things(case)[1].shape))


def classed(base: str, case: Case) -> Node:
    """The class model told the nearer thing's shape."""
    over = {"kind": "base", "model": base}
    return {"kind": "class", "over": over, "network": f"{base}/unet_class", "label": things(case)[1].shape}


def figures(judges: Judges) -> list[Obeyed]:
    """Shares of pictures: what each model was told, and both."""
    share, seen = "share of pictures", seen_once(partial(_shown, judges))
    return [
        Obeyed(BOTH, share, "higher", lambda pictures, some: seen(pictures, some).prod(dim=0)),
        Obeyed("the text's thing shown", share, "higher", lambda pictures, some: seen(pictures, some)[0]),
        Obeyed("the class's shape shown", share, "higher", lambda pictures, some: seen(pictures, some)[1]),
    ]


@torch.no_grad()
def _shown(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    """Whether the text's shape is there in its colour, and the class's shape in any, `(2, batch)`."""
    right = [
        (
            colour_shown(picture, reading.classes, named.shape) == named.colour,
            (reading.classes == class_number(classed.shape)).sum() >= SMALLEST,
        )
        for picture, reading, (named, classed) in zip(
            to_bytes(pictures), read_all(judges, pictures), map(things, some), strict=True
        )
    ]
    return torch.from_numpy(np.array(right, np.float32).T)
