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
from sluice.flows.evaluate.records import Records
from sluice.flows.evaluate.results import DATA, keep, refuse_others
from sluice.flows.evaluate.settings import Settings
from sluice.infra.errors import SluiceError
from sluice.infra.models import MissingWeights
from sluice.infra.settings import ConfigError

Measure = Callable[[Contest, int], tuple[list[Estimate], list[Claim]]]
ABLATIONS = "-ablations"


@dataclass(frozen=True)
class Protocol:
    """What the page calls it, what measures it, and how many pictures it makes of each case and seed.

    `parts` of the family and control networks (`controls`) are what it needs beside the base. One that is not of
    tabletop's truths can be measured on any data, of as many controls as there are networks for; of the base it then
    needs these parts (`on_data`).
    """

    title: str
    measure: Measure
    pictures: Callable[[Contest], int]
    parts: tuple[str, ...] = ("judges",)
    controls: tuple[str, ...] = ()
    on_data: tuple[str, ...] | None = None


PROTOCOLS = {
    "silence": Protocol("Silent controls", silence.measure, silence.pictures, controls=silence.NETWORKS, on_data=()),
    "obedience": Protocol(
        "Controls alone", obedience.measure, obedience.pictures, controls=obedience.NETWORKS, on_data=()
    ),
    "convergence": Protocol("Convergence", convergence.measure, convergence.pictures, on_data=()),
    "conservativity": Protocol("Conservativity", conservativity.measure, lambda _: 0, controls=conservativity.NETWORKS),
    "minimal-impact": Protocol(
        "Two controls in conflict",
        minimal_impact.measure,
        minimal_impact.pictures,
        controls=minimal_impact.NETWORKS,
        on_data=(),
    ),
    "cnc": Protocol("Compose and Conquer", cnc.measure, lambda c: len(cnc.methods(c)), controls=cnc.NETWORKS),
    "reconstruction": Protocol(
        "Scenes made again",
        reconstruction.measure,
        reconstruction.pictures,
        controls=reconstruction.NETWORKS,
        on_data=("image_encoder",),
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
        minimal_impact.ablated,
        controls=minimal_impact.ABLATED,
        on_data=(),
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
ON_DATA = [name for name, own in PROTOCOLS.items() if own.on_data is not None]


class NothingToMeasure(SluiceError):
    """All that a protocol is of is left out."""


@dataclass(frozen=True)
class Place:
    """Which networks are measured, where pictures and figures go, and on which data, if not on tabletop's scenes."""

    base: str
    networks: Networks
    pictures: Path
    results: Path
    console: Console
    data: Records | None = None

    def contest(self, settings: Settings) -> Contest:
        """By a protocol's settings."""
        sampling = Sampling(self.base, settings.steps, settings.guidance, settings.seeds)
        return Contest(sampling, self.pictures, self.console, self.networks, data=self.data)

    @property
    def told(self) -> dict[str, str]:
        """For results."""
        return {"base": self.base} if self.data is None else {"base": self.base, DATA: self.data.held.told}


def weights_of(name: str, contest: Contest) -> dict[str, str]:
    """Digests of what a protocol is of, by name. Raises UnknownModel, MissingWeights, NothingToMeasure."""
    base, parts, controls = contest.sampling.base, PROTOCOLS[name].parts, PROTOCOLS[name].controls
    if contest.data is not None:
        parts, controls = (), _heard(name, contest) or controls
        refuse_without(PROTOCOLS[name].on_data or (), name, base)
    for part in parts:
        if Path(base).is_dir() and not Path(base, part).exists():
            raise MissingWeights(f"{base} holds no {part}, of which '{name}' is: `sluice train tabletop --only {part}`")
    places = {Path(base).name: base} | {part: f"{base}/{part}" for part in parts}
    places |= {own: contest.networks.of(own) for own in controls}
    return {own: found(place).digest[:12] for own, place in places.items()}


def refuse_without(parts: Sequence[str], name: str, base: str) -> None:
    """Raises MissingWeights for a base of any family that lacks a part."""
    for part in parts:
        if not (found(base).path / part).exists():
            raise MissingWeights(
                f"{base} holds no {part}, of which '{name}' is: put the one there that the networks were trained with, "
                "in a folder as transformers saves it"
            )


def _heard(name: str, contest: Contest) -> tuple[str, ...]:
    """The networks of the controls that can be measured on some data."""
    if not PROTOCOLS[name].pictures(contest):
        remedies = "; ".join(f"{what}: {remedy}" for what, remedy in contest.left_out.items())
        raise NothingToMeasure(f"'{name}' has nothing left to measure on this data. What would help: {remedies}")
    return tuple(contest.heard)


def evaluate(wanted: Sequence[tuple[str, Settings]], at: Place) -> None:
    """Each protocol by its settings, its figures kept as soon as it is measured.

    Nothing is made where a part is missing, and how many pictures there are to be is said first. Raises UnknownModel,
    MissingWeights, NotMade, and ConfigError for data that a protocol is not of, or results that are of other data.
    """
    if at.data is not None:
        refuse_without_truths([name for name, _ in wanted], at.data)
    refuse_others(at.results, at.told.get(DATA))
    contests = {name: at.contest(settings) for name, settings in wanted}
    made_of = {name: weights_of(name, contest) for name, contest in contests.items()}
    for name, settings in wanted:
        each, cases = PROTOCOLS[name].pictures(contests[name]), settings.scenes * settings.seeds
        at.console.print(f"{name}: at most {each * cases} pictures, {each} of each scene and seed")
    for name, settings in wanted:
        contest, told = contests[name], {**at.told, **settings.model_dump()}
        estimates, claims = PROTOCOLS[name].measure(contest, settings.scenes)
        estimates += contest.populations
        about = name, PROTOCOLS[name].title, made_of[name], told
        results = Results(*about, estimates, claims, contest.examples, contest.left_out, contest.curves)
        keep(results, at.results / f"{name}.json")
        at.console.print("\n".join(f"{name}: {claim.verdict}. {claim.says}" for claim in claims))


def refuse_without_truths(names: Sequence[str], data: Records) -> None:
    """Raises ConfigError for protocols that know what their scenes were drawn of."""
    for name in names:
        if name not in ON_DATA:
            raise ConfigError(
                f"--data {data.held.uri}: '{name}' is measured by what tabletop's scenes were drawn of, which no data "
                f"set has; on data there are: {', '.join(ON_DATA)}"
            )
