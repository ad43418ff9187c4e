"""Compose and Conquer's fusers as methods, on overlapping objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sluice.flows.evaluate.cases import Case, other
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.protocols.overlap import exemplars
from sluice.flows.evaluate.trees import guided, plain

JOINT = "cnc"

Images = Callable[[Case, Path], list[Any]]
"""What the local fuser sees, of the foreground and the background; images that are drawn are kept in a folder."""


def depths(case: Case, place: Path) -> list[Any]:  # noqa: ARG001 - nothing is drawn
    """Of an object, and of the scene behind it."""
    return [case.image("fg_depth"), other(case).image("depth")]


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
