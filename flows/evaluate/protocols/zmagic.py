"""Z-Magic meets dependent conditions better than their plain sum, FreeDoM, and than either alone (Z-Magic, Sec. 4).

On faces: where another face's points are, or its parts, or both, with who it is, and what a text says of it with its
parts, or with both; on scenes: what a text says, in the style of another scene. Faces are made by the U-Net of faces,
scenes by the base without a prompt: energies alone say what is wanted. All sampling is ancestral.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sluice.flows.evaluate.cases import Case, cases
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN, Outcome
from sluice.flows.evaluate.protocols.guided import along
from sluice.flows.evaluate.protocols.guides import Guide, guides
from sluice.flows.evaluate.trees import Node, guided, plain, text

PARTS = ("unet_face", "identity", "latent_judges", "judges")
SILENT_FROM = 100
"""The last steps are the model's own."""
STRENGTHS = {"faces": {"text": 0.00125}}
"""By law, where they are other than a guide's own: faces led by a text at its 0.005 left the world."""
OTHER_RHOS = (0.5, 2)
"""In shares of each condition's own."""
OTHER_TURNS = (0.0, 100.0)
"""Of a pull's own length: nothing, and hardly ever less than all of its curvature."""
NONE, SUM, ZMAGIC = "no condition", "FreeDoM", "Z-Magic"
OTHER_ORDER, DIFFERENCES = "Z-Magic, other order", "Z-Magic, finite differences"
OTHER_FORM = "Z-Magic, steps of its own form"
BOLDNESS = {"Z-Magic, c 0": 0.0, "Z-Magic, c 0.8": 0.8}
SAYS = (
    "Z-Magic meets each of several conditions better than FreeDoM's sum, and than when only the others are asked for."
)
DEFAULTS = (
    "Z-Magic's defaults are those that measured best: order, curvature and its limit, form, rho, and c where there are "
    "three."
)


@dataclass(frozen=True)
class Wanted:
    """Conditions of the scenes of a law, in their order."""

    law: str
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        return " + ".join(self.conditions)


ALL = (
    Wanted("faces", ("landmarks", "identity")),
    Wanted("faces", ("parsing", "identity")),
    Wanted("one", ("text", "style")),
    Wanted("faces", ("landmarks", "parsing", "identity")),
    Wanted("faces", ("parsing", "text")),
    Wanted("faces", ("text", "parsing", "identity")),
)
"""The paper's pairs and triples (Tables 1 to 4), and ours of landmarks and parts."""
VARIED = ALL[:4]
"""Of which options are ablated: each condition is among them, in a pair and in a triple."""
PICTURES = sum(3 + len(wanted.conditions) for wanted in ALL)
ABLATED = sum(
    3 + len(OTHER_RHOS) + len(OTHER_TURNS) + (len(BOLDNESS) if len(wanted.conditions) > 2 else 1) for wanted in VARIED
)


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every combination of conditions, each condition by its own figure, against the sum and the others alone."""
    estimates: list[Estimate] = []
    better: dict[str, Verdict] = {}
    for wanted, own in guided_by(contest, ALL):
        made_by = methods(contest.sampling.base, wanted, own)
        found = _found(contest, wanted, own, count, made_by)
        both = {name: made_by[name] for name in (SUM, ZMAGIC)}
        contest.curves.extend(along(contest, wanted.name, cases(wanted.law, count), both))
        estimates += found.estimates()
        better |= against_baselines(found, own)
    return estimates, [Claim(SAYS, BETTER, better)]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every combination of conditions, the default against every other option."""
    estimates: list[Estimate] = []
    best: dict[str, Verdict] = {}
    for wanted, own in guided_by(contest, VARIED):
        found = _found(contest, wanted, own, count, variants(contest.sampling.base, wanted, own))
        estimates += found.estimates()
        for guide in own.values():
            best |= found.none_beats(guide.figure.figure, ZMAGIC)
    return estimates, [Claim(DEFAULTS, UNBEATEN, best)]


def guided_by(contest: Contest, some: Sequence[Wanted]) -> Iterator[tuple[Wanted, dict[str, Guide]]]:
    """Combinations of conditions, and what guides to each."""
    known = guides(contest.sampling.base, contest.judges)
    for wanted in some:
        strengths = STRENGTHS.get(wanted.law, {})
        told = {name: replace(known[name], rho=strengths.get(name, known[name].rho)) for name in wanted.conditions}
        yield wanted, told


def methods(base: str, wanted: Wanted, own: dict[str, Guide]) -> dict[str, Tree]:
    """No condition, each alone, the sum, Z-Magic."""
    of, several = _denoiser(base, wanted), list(own.values())
    found = {NONE: lambda _: plain(of, eta=1.0)}
    found |= {alone(name): led("zmagic", of, [guide]) for name, guide in own.items()}
    return found | {SUM: led("freedom", of, several), ZMAGIC: led("zmagic", of, several)}


def variants(base: str, wanted: Wanted, own: dict[str, Guide]) -> dict[str, Tree]:
    """The default, and what its options are for so many conditions."""
    of, several = _denoiser(base, wanted), list(own.values())
    found = {ZMAGIC: led("zmagic", of, several)}
    found[DIFFERENCES] = led("zmagic", of, several, curvature="finite_difference")
    found[OTHER_FORM] = led("zmagic", of, several, form="score")
    found |= {f"Z-Magic, turns to {most:g}": led("zmagic", of, several, most_turn=most) for most in OTHER_TURNS}
    found |= {f"Z-Magic, {share:g} of each rho": led("zmagic", of, several, share) for share in OTHER_RHOS}
    if len(several) > 2:  # all ordered pairs, combined by c
        return found | {name: led("zmagic", of, several, c=c) for name, c in BOLDNESS.items()}
    return found | {OTHER_ORDER: led("zmagic", of, several[::-1])}


def led(kind: str, of: Node, some: Sequence[Guide], share: float = 1, **told: Any) -> Tree:
    """Steps guided by energies, of so large a share of their strengths."""

    def energy(guide: Guide, case: Case) -> Node:
        return {**guide.energy(case), "rho": share * guide.rho, "silent_from": SILENT_FROM}

    return lambda case: {"kind": kind, "of": of, "energies": [energy(guide, case) for guide in some], **told}


def alone(condition: str) -> str:
    """What a method is called that is told one condition."""
    return f"{condition} alone"


def against_baselines(found: Outcome, own: dict[str, Guide]) -> dict[str, Verdict]:
    """Each condition against the sum, and against each other condition alone, which does not ask for it."""
    return {
        f"{found.condition}: {guide.figure.figure} against {baseline}": found.better(
            guide.figure.figure, ZMAGIC, baseline
        )
        for name, guide in own.items()
        for baseline in (SUM, *(alone(other) for other in own if other != name))
    }


def _found(contest: Contest, wanted: Wanted, own: dict[str, Guide], count: int, methods: dict[str, Tree]) -> Outcome:
    told = [guide.figure for guide in own.values()]
    return contest(wanted.name, cases(wanted.law, count), methods, told, together=True)


def _denoiser(base: str, wanted: Wanted) -> Node:
    model = {"kind": "pixels", "model": f"{base}/unet_face"} if wanted.law == "faces" else text(base, "")
    return guided(model, 1.0)
