"""How Compose and Conquer's fusers are trained: together or apart, on depths or edges, on triplets or whole images.

Scenes, objects and figures are those of `cnc`. They compare where all were trained as long as each other.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case, kept_image, other
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.outcome import BETTER
from sluice.flows.evaluate.populations import scores
from sluice.flows.evaluate.protocols.cnc import CNC, FRONT, LIKENED, LOCAL, ORDERED, compared, likeness, placement
from sluice.flows.evaluate.protocols.fused import JOINT, Images, composed, depths
from sluice.flows.evaluate.protocols.overlap import mask
from sluice.preprocess.perception.edges import inside
from sluice.preprocess.stages.canny import ForegroundCannyParameters

NETWORKS = (JOINT, "cnc-local", "cnc-global")
APART, EDGES, WHOLE = "CnC, fusers trained apart", "the same, of edges", "the same, without triplets"
TRAINED_APART = {
    APART: {"local": "cnc-local", "global": "cnc-global"},
    EDGES: {"local": "cnc-local-canny", "global": "cnc-global"},
    WHOLE: {"local": "cnc-local-whole", "global": "cnc-global"},
}
"""What a folder of fusers holds, and the network whose part it is."""
FOLDER = "fusers"
TOGETHER = "Fusers that are finetuned together place objects and localise semantics better than those trained apart."
DISENTANGLED = "Fusers trained on the depths of triplets place objects in front more often than those of whole images."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """What is in front under both names, and what parts are like under none."""
    some = trees(contest)
    ordered = compared(contest, ORDERED, count, some, placement(contest), [scores(contest.judges)])
    likened = compared(contest, LIKENED, count, some, likeness(contest), [])
    each = {FRONT: ordered.better(FRONT, CNC, APART), LOCAL: likened.better(LOCAL, CNC, APART)}
    claims = [Claim(TOGETHER, BETTER, each)]
    if WHOLE in some:
        claims.append(Claim(DISENTANGLED, BETTER, {FRONT: ordered.better(FRONT, APART, WHOLE)}))
    return [*ordered.estimates(), *likened.estimates()], claims


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return 2 * len(trees(contest))


def trees(contest: Contest) -> dict[str, Tree]:
    """By fusers of every kind that is there, told depths or edges, and exemplars; the others are left out."""
    told: dict[str, Images] = {APART: depths, EDGES: edges, WHOLE: depths}
    there = _there(contest)
    return {
        **{name: composed(contest, _joined(contest, parts), told[name]) for name, parts in there.items()},
        CNC: composed(contest),
    }


def networks(contest: Contest) -> dict[str, str]:
    """The places of those that are there."""
    return {name: contest.networks.of(name) for parts in _there(contest).values() for name in parts.values()}


def edges(case: Case, place: Path) -> list[Any]:
    """The same by Canny, as the stages `fg_canny` and `bg_canny` have them."""
    margin = ForegroundCannyParameters.model_validate({}).margin
    ahead = inside(np.rint(case.levels("canny") * 255).astype(np.uint8)[..., 0], np.uint8(255) * mask(case), margin)
    return [kept_image(np.repeat(ahead[..., None], 3, axis=2) / 255, place), other(case).image("canny")]


def _there(contest: Contest) -> dict[str, dict[str, str]]:
    lacks = {name: contest.networks.lack_of(parts.values()) for name, parts in TRAINED_APART.items()}
    for name, lack in lacks.items():
        if lack:
            contest.leave_out(name, lack)
    return {name: parts for name, parts in TRAINED_APART.items() if not lacks[name]}


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
