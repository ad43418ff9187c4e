"""An object of one scene in front of the object of another, where both would be: what Compose and Conquer is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count as numbers
from pathlib import Path
from typing import Any

import numpy as np

from sluice.flows.evaluate.cases import Case, kept_image, other
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.render import FIRST
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.words import plain_caption

PIXELS = 40
"""That both objects have."""


def overlapping() -> Iterator[Case]:
    """Scenes of one object, of which another scene has one of another shape in the same place, without end.

    Words name the object in front first and last in turns: where it is must not be told by their order.
    """
    found = 0
    for number in numbers():
        case = Case(number, "one")
        objects = [thing(own) for own in (case, other(case))]
        if objects[0].shape != objects[1].shape and both(case).sum() >= PIXELS:
            named = objects[::-1] if found % 2 else objects
            yield replace(case, words=" and ".join(map(plain_caption, named)))
            found += 1


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


def composite(case: Case) -> Array:
    """True pictures of both, one before the other, levels 0 to 1, `(height, width, 3)`."""
    return np.where(mask(case)[..., None], case.levels("image"), other(case).levels("image"))


def exemplars(case: Case) -> tuple[Case, Case]:
    """Two more scenes, of what the foreground and the background are to look like."""
    front = other(other(case))
    return front, other(front)


def pasted(case: Case) -> Array:
    """The exemplars themselves, each in its own part, levels 0 to 1, `(height, width, 3)`."""
    front, behind = exemplars(case)
    return np.where(mask(case)[..., None], front.levels("image"), behind.levels("background"))


def one_depth(case: Case, place: Path) -> dict[str, Any]:
    """The depth of both together, for one network: the foreground's where it is, and behind it the other scene's."""
    whole = np.where(mask(case)[..., None], case.levels("fg_depth"), other(case).levels("depth"))
    return {"control": "depth", "image": kept_image(whole, place)}
