"""All comparisons by name: which parts of the family they are of, and how they are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.claims import Claim, Estimate, Results
from sluice.flows.evaluate.combiners import amdm, faces, minimal_impact, scenes, triplets, zmagic
from sluice.flows.evaluate.combiners.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.results import keep
from sluice.infra.models import MissingWeights
from sluice.preprocess.perception.judges import Judges

Measure = Callable[[Contest, int, Judges], tuple[list[Estimate], list[Claim]]]


@dataclass(frozen=True)
class Comparison:
    """What the page calls it, parts of the family and control networks beside the base, what measures scenes."""

    protocol: str
    parts: tuple[str, ...]
    measure: Measure
    controls: tuple[str, ...] = ()


COMPARISONS = {
    "minimal-impact": Comparison(
        "MIControlNet, two controls", ("judges",), minimal_impact.measure, minimal_impact.NETWORKS
    ),
    "cnc": Comparison("Compose and Conquer", ("judges",), triplets.measure, triplets.NETWORKS),
    "amdm": Comparison("AMDM", amdm.PARTS, amdm.measure),
    "zmagic": Comparison("Z-Magic", zmagic.PARTS, zmagic.measure),
    "unite": Comparison("Unite and Conquer, text and class", scenes.PARTS, scenes.measure),
    "unite-faces": Comparison("Unite and Conquer, faces", ("judges",), faces.measure, faces.NETWORKS),
}


def weights_of(name: str, base: str, networks: Networks) -> dict[str, str]:
    """Digests of what a comparison is made of, by name. Raises UnknownModel, MissingWeights."""
    for part in COMPARISONS[name].parts:
        if Path(base).is_dir() and not Path(base, part).exists():
            raise MissingWeights(f"{base} holds no {part}, of which '{name}' is: `sluice train tabletop --only {part}`")
    parts = {Path(base).name: base} | {part: f"{base}/{part}" for part in COMPARISONS[name].parts}
    parts |= {own: networks.of(own) for own in COMPARISONS[name].controls}
    return {own: found(place).digest[:12] for own, place in parts.items()}


def measure_combiners(
    names: Sequence[str],
    count: int,
    sampling: Sampling,
    networks: Networks,
    place: Path,
    out: Path,
    console: Console,
) -> None:
    """Each on `count` held-out scenes, `out/NAME.json` as soon as it is measured; pictures are kept in `place`.

    Nothing is made where a part is missing. Raises UnknownModel, MissingWeights, NotMade.
    """
    made_of = {name: weights_of(name, sampling.base, networks) for name in names}
    contest = Contest(sampling, place, console, networks)
    judges = Judges.load(found(f"{sampling.base}/judges").path)
    settings = {"scenes": count, **asdict(sampling)}
    for name in names:
        own = COMPARISONS[name]
        estimates, claims = own.measure(contest, count, judges)
        keep(Results(own.protocol, made_of[name], settings, estimates, claims), out / f"{name}.json")
        console.print("\n".join(f"{name}: {claim.verdict}. {claim.says}" for claim in claims))
