"""All protocols by name, what they are of, and the suites that run several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.claims import Claim, Estimate, Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import (
    aggregates,
    amdm,
    cnc,
    conservativity,
    convergence,
    faces,
    minimal_impact,
    nesting,
    obedience,
    reconstruction,
    silence,
    unite,
    zmagic,
)
from sluice.flows.evaluate.results import keep
from sluice.flows.evaluate.settings import Settings
from sluice.infra.models import MissingWeights

Measure = Callable[[Contest, int], tuple[list[Estimate], list[Claim]]]
ABLATIONS = "-ablations"


@dataclass(frozen=True)
class Protocol:
    """What the page calls it, what measures it, and how many pictures it makes of each scene and seed.

    `parts` of the family and control networks (`controls`) are what it needs beside the base.
    """

    title: str
    measure: Measure
    pictures: Callable[[Contest], int]
    parts: tuple[str, ...] = ("judges",)
    controls: tuple[str, ...] = ()


PROTOCOLS = {
    "silence": Protocol("Silent controls", silence.measure, lambda _: silence.pictures(), controls=silence.NETWORKS),
    "obedience": Protocol(
        "Controls alone", obedience.measure, lambda _: obedience.pictures(), controls=obedience.NETWORKS
    ),
    "convergence": Protocol("Convergence", convergence.measure, convergence.pictures),
    "conservativity": Protocol("Conservativity", conservativity.measure, lambda _: 0, controls=conservativity.NETWORKS),
    "minimal-impact": Protocol(
        "Two controls in conflict",
        minimal_impact.measure,
        lambda _: minimal_impact.pictures(),
        controls=minimal_impact.NETWORKS,
    ),
    "cnc": Protocol("Compose and Conquer", cnc.measure, lambda c: len(cnc.methods(c)), controls=cnc.NETWORKS),
    "reconstruction": Protocol(
        "Scenes made again",
        reconstruction.measure,
        lambda c: len(reconstruction.methods(c)),
        controls=reconstruction.NETWORKS,
    ),
    "amdm": Protocol("AMDM", amdm.measure, lambda c: len(aggregates.methods(c.sampling)), amdm.PARTS),
    "zmagic": Protocol("Z-Magic", zmagic.measure, lambda _: zmagic.PICTURES, zmagic.PARTS),
    "unite": Protocol("Unite and Conquer, scenes", unite.measure, lambda c: len(unite.methods(c)), unite.PARTS),
    "unite-faces": Protocol(
        "Unite and Conquer, faces", faces.measure, lambda c: len(faces.methods(c)), controls=faces.NETWORKS
    ),
    "nesting": Protocol(
        "All five nested", nesting.measure, lambda c: len(nesting.methods(c)), nesting.PARTS, nesting.NETWORKS
    ),
    f"minimal-impact{ABLATIONS}": Protocol(
        "Two controls in conflict, ablations",
        minimal_impact.ablate,
        lambda _: minimal_impact.ablated(),
        controls=minimal_impact.ABLATED,
    ),
    f"cnc{ABLATIONS}": Protocol(
        "Compose and Conquer, ablations", cnc.ablate, lambda c: len(cnc.variants(c)), controls=("cnc",)
    ),
    f"amdm{ABLATIONS}": Protocol(
        "AMDM, ablations", amdm.ablate, lambda c: len(aggregates.variants(c.sampling)), ("unet_boxes", "judges")
    ),
    f"zmagic{ABLATIONS}": Protocol("Z-Magic, ablations", zmagic.ablate, lambda _: zmagic.ABLATED, zmagic.PARTS),
    f"unite{ABLATIONS}": Protocol(
        "Unite and Conquer, scenes, ablations", unite.ablate, lambda c: len(unite.variants(c)), unite.PARTS
    ),
    f"unite-faces{ABLATIONS}": Protocol(
        "Unite and Conquer, faces, ablations",
        faces.ablate,
        lambda c: len(faces.variants(c)),
        controls=faces.NETWORKS,
    ),
}
ALONE = {"convergence"}
"""In no suite: its networks do not ship."""
SUITES = {
    "papers": [name for name in PROTOCOLS if not name.endswith(ABLATIONS) and name not in ALONE],
    "ablations": [name for name in PROTOCOLS if name.endswith(ABLATIONS)],
}


@dataclass(frozen=True)
class Place:
    """Which networks are measured, and where pictures and figures go."""

    base: str
    networks: Networks
    pictures: Path
    results: Path
    console: Console

    def contest(self, settings: Settings) -> Contest:
        """By a protocol's settings."""
        sampling = Sampling(self.base, settings.steps, settings.guidance, settings.seeds)
        return Contest(sampling, self.pictures, self.console, self.networks)


def weights_of(name: str, base: str, networks: Networks) -> dict[str, str]:
    """Digests of what a protocol is of, by name. Raises UnknownModel, MissingWeights."""
    for part in PROTOCOLS[name].parts:
        if Path(base).is_dir() and not Path(base, part).exists():
            raise MissingWeights(f"{base} holds no {part}, of which '{name}' is: `sluice train tabletop --only {part}`")
    parts = {Path(base).name: base} | {part: f"{base}/{part}" for part in PROTOCOLS[name].parts}
    parts |= {own: networks.of(own) for own in PROTOCOLS[name].controls}
    return {own: found(place).digest[:12] for own, place in parts.items()}


def evaluate(wanted: Sequence[tuple[str, Settings]], at: Place) -> None:
    """Each protocol by its settings, its figures kept as soon as it is measured.

    Nothing is made where a part is missing, and how many pictures there are to be is said first. Raises UnknownModel,
    MissingWeights, NotMade.
    """
    made_of = {name: weights_of(name, at.base, at.networks) for name, _ in wanted}
    for name, settings in wanted:
        each, cases = PROTOCOLS[name].pictures(at.contest(settings)), settings.scenes * settings.seeds
        at.console.print(f"{name}: at most {each * cases} pictures, {each} of each scene and seed")
    for name, settings in wanted:
        contest, told = at.contest(settings), {"base": at.base, **settings.model_dump()}
        estimates, claims = PROTOCOLS[name].measure(contest, settings.scenes)
        estimates += contest.populations
        about = name, PROTOCOLS[name].title, made_of[name], told
        results = Results(*about, estimates, claims, contest.examples, contest.left_out, contest.curves)
        keep(results, at.results / f"{name}.json")
        at.console.print("\n".join(f"{name}: {claim.verdict}. {claim.says}" for claim in claims))
