"""How soon a network obeys its control while it is trained, beside a plain ControlNet (MIControlNet, Fig. 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sluice.flows.evaluate.cases import AnyCase
from sluice.flows.evaluate.claims import Claim, Curve, Estimate
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, Networks
from sluice.flows.evaluate.outcome import BETTER, Outcome
from sluice.flows.evaluate.protocols.obedience import under
from sluice.infra.weights.models import MissingWeights

CONTROL = "canny"
METHODS = (CONTROLNET, FIRST_STAGE)
NETWORKS = tuple(f"{own.network}-{CONTROL}" for own in METHODS)
SAYS = "MIControlNet obeys a control after fewer steps of training than ControlNet."
RULE = f"Of the mean over the first half of the snapshots. {BETTER}"


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every snapshot its obedience and its distance from true pictures, along the steps of training."""
    some, outcomes, along = contest.world.cases(CONTROL, count), {}, {}
    for step in snapshots(contest):
        own = replace(contest, networks=at(contest, step), populations=[], examples=[])
        outcomes[step] = _obeyed(own, some, step)
        along[step] = outcomes[step].estimates() + own.populations
    contest.curves.extend(_curves(along))
    half = Outcome.mean("first half of the snapshots", list(outcomes.values())[: (len(outcomes) + 1) // 2])
    verdict = half.better(half.figures[0].figure, FIRST_STAGE.name, CONTROLNET.name)
    return half.estimates(), [Claim(SAYS, RULE, {CONTROL: verdict})]


def snapshots(contest: Contest) -> list[int]:
    """Steps after which all networks were saved. Raises MissingWeights."""
    kept = [
        {int(own.name) for own in contest.networks.snapshots(name).glob("*") if own.name.isdecimal()}
        for name in NETWORKS
    ]
    both = sorted(set.intersection(*kept))
    if not both:
        asked = " ".join(f"--only {name}" for name in NETWORKS)
        raise MissingWeights(
            f"{contest.networks.place} has no snapshots of {' and '.join(NETWORKS)}; `sluice train "
            f"evidence {asked}`, and then `--networks OUT/networks`"
        )
    return both


def networks(contest: Contest) -> dict[str, str]:
    """The places of all snapshots that are measured. Raises MissingWeights."""
    return {
        f"{name} after {step} steps": at(contest, step).of(name) for name in NETWORKS for step in snapshots(contest)
    }


def at(contest: Contest, step: int) -> Networks:
    """As they were after so many steps."""
    return replace(contest.networks, at=step)


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return len(METHODS) * len(snapshots(contest)) if contest.has(CONTROL, [CONTROL]) else 0


def _obeyed(contest: Contest, some: Sequence[AnyCase], step: int) -> Outcome:
    figure = contest.world.obeyed[CONTROL]
    return contest(f"{CONTROL}, step {step}", some, under(contest, CONTROL, METHODS), [figure], together=True)


def _curves(along: Mapping[int, Sequence[Estimate]]) -> Iterator[Curve]:
    """Of each figure and method, from its estimates at each step."""
    first = next(iter(along.values()))
    for row, own in enumerate(first):
        intervals = [some[row].interval for some in along.values()]
        yield Curve(own.figure, CONTROL, own.method, "steps of training", list(along), intervals, own.cases)
