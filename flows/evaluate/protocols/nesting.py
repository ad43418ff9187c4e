"""All five methods in one picture, against each alone (ours: no paper nests them).

A case is a scene with a figure: minimal impact is told its edges and pose, Compose and Conquer its depths, Z-Magic
another scene's style and the caption, Unite the caption and the table; AMDM draws these three models together.
"""

from __future__ import annotations

from sluice.flows.evaluate.cases import Case, cases, other
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.methods import MICONTROLNET
from sluice.flows.evaluate.obeyed import Obeyed, obeyed
from sluice.flows.evaluate.outcome import BETTER
from sluice.flows.evaluate.protocols.guides import guides
from sluice.flows.evaluate.trees import Node, guided, plain, text, united
from sluice.flows.evaluate.worded import text_distance
from sluice.preprocess.perception.judges import Judges

LAW = "figures"
CONTROLS = ("canny", "pose")
NETWORKS = (*(f"{MICONTROLNET.network}-{control}" for control in CONTROLS), "cnc")
PARTS = ("judges", "latent_judges")
RHO, SILENT_FROM = 0.005, 200
WEIGHT = 4.0
NONE, NESTED = "no condition", "all five nested"
ALONE = MINIMAL_IMPACT, CNC, ZMAGIC, UNITE = ("minimal impact alone", "CnC alone", "Z-Magic alone", "Unite alone")
SAYS = "Nested, all five meet every condition better than a model that is told none of them."
THAN_ALONE = "Nested, all five meet every condition better than each method alone, also one that is told of it."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Each condition by its own figure."""
    told = figures(contest.sampling.base, contest.judges)
    found = contest("figures", cases(LAW, count), methods(contest), told)
    than_alone = {
        f"{own.figure}, against {alone}": found.better(own.figure, NESTED, alone) for own in told for alone in ALONE
    }
    return found.estimates(), [
        Claim(SAYS, BETTER, {own.figure: found.better(own.figure, NESTED, NONE) for own in told}),
        Claim(THAN_ALONE, BETTER, than_alone),
    ]


def methods(contest: Contest) -> dict[str, Tree]:
    """No condition, each method alone, and all of them."""
    base, scale = contest.sampling.base, contest.sampling.guidance

    def styled(case: Case, of: Node) -> Node:
        how = {"rho": RHO, "silent_from": SILENT_FROM}
        style = {"kind": "style", "by": f"{base}/latent_judges", "image": other(case).image("image")}
        return {"kind": "zmagic", "of": of, "energies": [style | how, {"kind": "text", "text": case.prompt} | how]}

    def minimal(case: Case, prompt: str | None = None) -> Node:
        told = [{"control": own, "image": case.image(own)} for own in CONTROLS]
        return guided(MICONTROLNET.model(text(base, prompt), contest.networks, told), scale)

    def composed(case: Case, prompt: str | None = None) -> Node:
        depths = [case.image("fg_depth"), case.image("bg_depth")]
        fusers = {"fusers": contest.networks.of("cnc"), "mask": case.image("mask"), "depths": depths}
        return plain(guided({"kind": "compose_and_conquer", "over": text(base, prompt), **fusers}, scale))

    def both_texts(case: Case) -> Node:
        return plain(united([text(base), text(base, f"a {case.scene.table.material} table")], WEIGHT))

    return {
        NONE: lambda _: plain(guided(text(base, ""), scale)),
        MINIMAL_IMPACT: lambda case: plain(minimal(case, "")),
        CNC: lambda case: composed(case, ""),
        ZMAGIC: lambda case: styled(case, guided(text(base, ""), 1.0)),
        UNITE: both_texts,
        NESTED: lambda case: {
            "kind": "amdm",
            "weights": [0.5, 0.5],
            "of": [styled(case, minimal(case)), composed(case), both_texts(case)],
        },
    }


def figures(base: str, judges: Judges) -> list[Obeyed]:
    """Edges, pose, depth, style, text."""
    controls = obeyed(judges, None)
    said = text_distance(base, lambda case: case.prompt)
    return [controls["canny"], controls["pose"], controls["depth"], guides(base, judges)["style"].figure, said]
