"""Compose and Conquer's fusers as methods: finetuned together, or as each was before; on overlapping objects."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case, kept_image, other
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.protocols.overlap import exemplars, mask
from sluice.flows.evaluate.trees import guided, plain
from sluice.preprocess.perception.edges import inside
from sluice.preprocess.stages.canny import ForegroundCannyParameters

JOINT = "cnc"
APART, EDGES = "CnC, fusers trained apart", "CnC of edges, fusers trained apart"
WHOLE = "CnC without triplets, fusers trained apart"
TRAINED_APART = {
    APART: {"local": "cnc-local", "global": "cnc-global"},
    EDGES: {"local": "cnc-local-canny", "global": "cnc-global"},
    WHOLE: {"local": "cnc-local-whole", "global": "cnc-global"},
}
"""What a folder of fusers holds, and the network whose part it is."""
FOLDER = "fusers"

Images = Callable[[Case, Path], list[Any]]
"""What the local fuser sees, of the foreground and the background; images that are drawn are kept in a folder."""


def depths(case: Case, place: Path) -> list[Any]:  # noqa: ARG001 - nothing is drawn
    """Of an object, and of the scene behind it."""
    return [case.image("fg_depth"), other(case).image("depth")]


def edges(case: Case, place: Path) -> list[Any]:
    """The same by Canny, as the stages `fg_canny` and `bg_canny` have them."""
    margin = ForegroundCannyParameters.model_validate({}).margin
    ahead = inside(np.rint(case.levels("canny") * 255).astype(np.uint8)[..., 0], np.uint8(255) * mask(case), margin)
    return [kept_image(np.repeat(ahead[..., None], 3, axis=2) / 255, place), other(case).image("canny")]


def composed(contest: Contest, fusers: str | None = None, images: Images = depths, **how: Any) -> Tree:
    """By the fusers that were finetuned together, or others; guided."""
    place = fusers or contest.networks.of(JOINT)

    def tree(case: Case) -> Mapping[str, Any]:
        front, behind = exemplars(case)
        told = {
            "kind": "compose_and_conquer",
            "over": contest.sampling.alone,
            "fusers": place,
            "mask": case.image("mask"),
            "depths": images(case, contest.place),
            "exemplars": [front.image("image"), behind.image("background")],
        }
        return plain(guided(told | how, contest.sampling.guidance))

    return tree


def apart(contest: Contest) -> dict[str, Tree]:
    """The same by fusers as they were before, of every kind that is there; the others are left out."""
    for name, parts in TRAINED_APART.items():
        if lack := contest.networks.lack_of(parts.values()):
            contest.leave_out(name, lack)
    told: dict[str, Images] = {APART: depths, EDGES: edges, WHOLE: depths}
    return {name: composed(contest, _joined(contest, parts), told[name]) for name, parts in _there(contest).items()}


def trained_apart(contest: Contest) -> dict[str, str]:
    """The places of those that are there."""
    return {name: contest.networks.of(name) for parts in _there(contest).values() for name in parts.values()}


def _there(contest: Contest) -> dict[str, dict[str, str]]:
    return {name: parts for name, parts in TRAINED_APART.items() if not contest.networks.lack_of(parts.values())}


def _joined(contest: Contest, parts: Mapping[str, str]) -> str:
    """A folder of both, which is named by what it holds."""
    held = {part: found(contest.networks.of(name)) for part, name in parts.items()}
    digest = hashlib.sha256("".join(own.digest for own in held.values()).encode()).hexdigest()
    folder = contest.place.absolute() / FOLDER / digest[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as begun:
            for part, own in held.items():
                shutil.copytree(own.path / part, Path(begun, "whole", part))
            try:
                Path(begun, "whole").rename(folder)
            except OSError:
                if not folder.is_dir():  # else another run has put the same there meanwhile
                    raise
    return str(folder)
