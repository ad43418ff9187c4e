"""That controls are obeyed where they speak: what a picture shows, beside what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.flows.evaluate.cases import CONTROLS, AnyCase
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.methods import BASE, CONTROLNET, MICONTROLNET, REBALANCED, Method
from sluice.flows.evaluate.outcome import BETTER

METHODS = (BASE, CONTROLNET, REBALANCED, MICONTROLNET)
"""That on rebalanced data tells what is due to the data, and what to how controls are combined."""
NETWORKS = tuple(f"{own.network}-{control}" for own in (CONTROLNET, MICONTROLNET) for control in CONTROLS)
SAYS = "Controls are obeyed where they speak: a whole one is shown better than by the base alone."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every control, the whole of it."""
    by = contest.world.obeyed
    estimates: list[Estimate] = []
    verdicts: dict[str, Verdict] = {}
    for control, there in contest.alone(METHODS).items():
        some = contest.world.cases(control, count)
        found = contest(control, some, under(contest, control, there), [by[control]], together=True)
        estimates += found.estimates()
        verdicts[control] = found.better(by[control].figure, MICONTROLNET.name, BASE.name)
    return estimates, [Claim(SAYS, BETTER, verdicts)]


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return sum(map(len, contest.alone(METHODS).values()))


def under(contest: Contest, control: str, some: Sequence[Method]) -> dict[str, Tree]:
    """Methods under the control of their case."""

    def told(case: AnyCase) -> list[dict[str, Any]]:
        return [{"control": control, "image": case.image(control)}]

    return {method.name: contest.under(method, told) for method in some}
