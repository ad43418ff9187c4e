"""Names of weights in jobs, and how to get those of tabletop that do not ship."""

from __future__ import annotations

from sluice.infra.weights.models import Found, MissingWeights, UnknownModel, find

WEIGHTS = ("model", "network", "by", "faces", "fusers")
"""The settings of a job that name some."""
FAMILY = "tabletop/"
TRAINED = ("micontrolnet", "controlnet", "cnc")
"""What the names begin with of what `sluice train evidence` trains."""


def found(name: str) -> Found:
    """Weights by a catalogue name or a folder. Raises as `find`, and MissingWeights for what does not ship."""
    try:
        return find(name)
    except UnknownModel as error:
        if not name.startswith(FAMILY):
            raise
        own = name.removeprefix(FAMILY)
        by = f"sluice train evidence --only {own}" if own.startswith(TRAINED) else f"sluice train tabletop --only {own}"
        raise MissingWeights(
            f"'{name}' does not ship yet: make it by `{by}`, and write its folder in the job in place of this name"
        ) from error
