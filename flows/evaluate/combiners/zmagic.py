"""Z-Magic meets dependent conditions better than their plain sum, FreeDoM, and than either alone (Z-Magic, Sec. 4).

On faces: who it is, with where another face's points are, or its parts, or both; on scenes: what a text says, in the
style of another scene. Faces are made by the U-Net of faces, scenes by the base without a prompt: energies alone say
what is wanted. All sampling is ancestral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sluice.flows.evaluate.cases import cases
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict
from sluice.flows.evaluate.combiners.contest import BETTER, UNBEATEN, Contest, Outcome, Tree
from sluice.flows.evaluate.combiners.guides import Guide, guides
from sluice.flows.evaluate.trees import Node, guided, plain, text
from sluice.preprocess.perception.judges import Judges

PARTS = ("unet_face", "identity", "latent_judges", "judges")
RHO, SILENT_FROM = 0.005, 100
"""Of every energy: at more, pictures leave the world; and the last steps are the model's own."""
NONE, SUM, ZMAGIC = "no condition", "FreeDoM", "Z-Magic"
OTHER_ORDER, DIFFERENCES = "Z-Magic, other order", "Z-Magic, finite differences"
BOLDNESS = {"Z-Magic, c 0": 0.0, "Z-Magic, c 0.8": 0.8}
SAYS = (
    "Z-Magic meets each of several conditions better than FreeDoM's sum, and than when only the others are asked for."
)
DEFAULTS = "Z-Magic's defaults are those that measured best: order, curvature, and c where there are three conditions."


@dataclass(frozen=True)
class Wanted:
    """Conditions of the scenes of a law, in their order."""

    law: str
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        return " + ".join(self.conditions)


ALL = (
    Wanted("faces", ("identity", "landmarks")),
    Wanted("faces", ("identity", "parsing")),
    Wanted("one", ("text", "style")),
    Wanted("faces", ("identity", "landmarks", "parsing")),
)


def measure(contest: Contest, count: int, judges: Judges) -> tuple[list[Estimate], list[Claim]]:
    """Of every combination of conditions, each condition by its own figure."""
    known = guides(contest.sampling.base, judges)
    estimates: list[Estimate] = []
    better: dict[str, Verdict] = {}
    best: dict[str, Verdict] = {}
    for wanted in ALL:
        own = {name: known[name] for name in wanted.conditions}
        some = cases(wanted.law, count)
        found = contest(
            wanted.name, some, methods(contest.sampling.base, wanted, own), [g.figure for g in own.values()]
        )
        estimates += found.estimates()
        better |= against_baselines(found, own)
        best |= against_variants(found, own)
    return estimates, [Claim(SAYS, BETTER, better), Claim(DEFAULTS, UNBEATEN, best)]


def methods(base: str, wanted: Wanted, own: dict[str, Guide]) -> dict[str, Tree]:
    """No condition, each alone, the sum, Z-Magic, and what its options are for so many."""
    model = {"kind": "pixels", "model": f"{base}/unet_face"} if wanted.law == "faces" else text(base, "")
    of = guided(model, 1.0)
    several, conditions = list(own.values()), wanted.conditions
    found = {NONE: lambda _: plain(of, eta=1.0)}
    found |= {alone(name): led("zmagic", of, [guide]) for name, guide in own.items()}
    found |= {SUM: led("freedom", of, several), ZMAGIC: led("zmagic", of, several)}
    found[DIFFERENCES] = led("zmagic", of, several, curvature="finite_difference")
    if len(conditions) > 2:  # all ordered pairs, combined by c
        return found | {name: led("zmagic", of, several, c=c) for name, c in BOLDNESS.items()}
    return found | {OTHER_ORDER: led("zmagic", of, several[::-1])}


def led(kind: str, of: Node, some: Sequence[Guide], **told: Any) -> Tree:
    """Steps guided by energies."""
    strength = {"rho": RHO, "silent_from": SILENT_FROM}
    return lambda case: {"kind": kind, "of": of, "energies": [guide.energy(case) | strength for guide in some], **told}


def alone(condition: str) -> str:
    """What a method is called that is told one condition."""
    return f"{condition} alone"


def against_baselines(found: Outcome, own: dict[str, Guide]) -> dict[str, Verdict]:
    """Each condition against the sum, and against each other condition alone, which does not ask for it."""
    return {
        f"{found.condition}: {figure} against {baseline}": found.better(figure, ZMAGIC, baseline)
        for name, figure in _figures(own)
        for baseline in (SUM, *(alone(other) for other in own if other != name))
    }


def against_variants(found: Outcome, own: dict[str, Guide]) -> dict[str, Verdict]:
    """Each condition, of every option."""
    options = {OTHER_ORDER, DIFFERENCES, *BOLDNESS} & {method for _, method in found.values}
    return {
        f"{found.condition}: {figure}, {option}": found.unbeaten(figure, ZMAGIC, option)
        for _, figure in _figures(own)
        for option in sorted(options)
    }


def _figures(own: dict[str, Guide]) -> list[tuple[str, str]]:
    return [(name, guide.figure.figure) for name, guide in own.items()]
