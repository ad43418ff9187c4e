"""What a protocol cannot be measured without: told before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.coco_mig import CocoMig
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.measures import ON_DATA, ON_INSTANCES
from sluice.flows.evaluate.names import TABLETOP
from sluice.flows.evaluate.records import Records
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights


def refuse_without(parts: Sequence[str], name: str, base: str) -> None:
    """Raises MissingWeights for a base of any family that lacks a part."""
    for part in parts:
        if not (found(base).path / part).exists():
            raise MissingWeights(
                f"{base} holds no {part}, of which '{name}' is: put the one there that the networks were trained with, "
                "in a folder as transformers saves it"
            )


def refuse_without_controls(name: str, contest: Contest, controls: Sequence[str]) -> None:
    """Raises MissingWeights for networks that a protocol cannot do without, with how to have them."""
    lack = contest.lack_of(controls)
    if lack is not None:
        raise MissingWeights(f"'{name}' is of networks that are not here: {lack}")


def refuse_without_networks(place: str) -> None:
    """Raises MissingWeights where control networks of one's own lie in no folder."""
    if place != TABLETOP and not (place and Path(place).is_dir()):
        raise MissingWeights(
            f"--networks {place}: there is no such folder; name OUT/networks of `sluice train evidence --out OUT`, or "
            "leave it out for tabletop's own"
        )


def refuse_without_truths(names: Sequence[str], data: Records) -> None:
    """Raises ConfigError for protocols that know what their scenes were drawn of."""
    for name in names:
        if name not in ON_DATA:
            own = f"; '{name}' takes COCO-MIG's JSON" if name in ON_INSTANCES else ""
            raise ConfigError(
                f"--data {data.held.uri}: '{name}' is measured by what tabletop's scenes were drawn of, which no data "
                f"set has; on data there are: {', '.join(ON_DATA)}{own}"
            )


def refuse_without_instances(names: Sequence[str], data: CocoMig) -> None:
    """Raises ConfigError for protocols that are not of instances, and for a file that is none of these."""
    for name in names:
        if name not in ON_INSTANCES:
            raise ConfigError(
                f"--data {data.file}: '{name}' is not of instances in boxes, all that COCO-MIG's file asks for; of "
                f"those there are: {', '.join(ON_INSTANCES)}"
            )
    if len(data.asked) < MINIMUM:
        raise ConfigError(
            f"--data {data.file} asks for {len(data.asked)} pictures; an interval takes {MINIMUM} or more"
        )
