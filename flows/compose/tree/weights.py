"""Names of weights in jobs, and how to get those of tabletop that do not ship."""

from __future__ import annotations

from pathlib import Path

from sluice.infra.settings import nearest
from sluice.infra.weights.models import Found, MissingWeights, UnknownModel, catalogue, find

WEIGHTS = ("model", "network", "by", "faces", "fusers")
"""The settings of a job that name some."""
FAMILY = "tabletop/"


def found(name: str) -> Found:
    """Weights by a catalogue name or a folder. Raises as `find`, and MissingWeights for what does not ship."""
    try:
        return find(name)
    except UnknownModel as error:
        if not name.startswith(FAMILY):
            raise
        own, trained = name.removeprefix(FAMILY), _trained()
        if own not in trained:
            known = {*(FAMILY + part for part in trained), *(each for each in catalogue() if each.startswith(FAMILY))}
            raise UnknownModel(f"there is no '{name}'; {nearest(name, known)}") from error
        raise MissingWeights(
            f"'{name}' does not ship: make it by `sluice train {trained[own]} --only {own}`, and write its folder in "
            "the job in place of this name"
        ) from error


def _trained() -> dict[str, str]:
    """The command that trains each part of tabletop, and each network that acts on it."""
    from sluice.flows.evidence.networks import read_evidence
    from sluice.training.tabletop.family import family

    return dict.fromkeys(family(Path()), "tabletop") | dict.fromkeys(read_evidence().networks, "evidence")
