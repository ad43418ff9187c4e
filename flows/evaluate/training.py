"""The evidence that training works: silence, obedience and conservativity of the networks that recipes made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate import asymmetry, obedience, silence
from sluice.flows.evaluate.cases import CONTROLS, cases
from sluice.flows.evaluate.claims import Claim, Estimate, Results
from sluice.flows.evaluate.extracted import hed
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, MICONTROLNET, REBALANCED, Networks, Sampling
from sluice.infra.models import find
from sluice.preprocess.perception.judges import Judges
from sluice.training.networks.latent_model import LatentModel

NETWORKS = (CONTROLNET, REBALANCED, FIRST_STAGE, MICONTROLNET)

Part = Callable[[], tuple[list[Estimate], Claim]]


def measure_training(
    networks: Networks,
    controls: list[str],
    judges: str,
    count: int,
    sampling: Sampling,
    place: Path,
    console: Console,
) -> Results:
    """Of some controls on `count` held-out scenes each, by the judges of this name; pictures are kept in `place`.

    Raises UnknownModel, MissingWeights, NotMade.
    """
    by = obedience.obeyed(Judges.load(find(judges).path), hed() if "hed" in controls else None)
    given = {control: cases(CONTROLS[control], count) for control in controls if control in by}
    for control in (own for own in controls if own not in given):
        console.print(f"{control} is left out: its network is not here; `sluice models pull {control}`", style="yellow")
    model = LatentModel.load(find(sampling.base).path)
    parts: dict[str, Part] = {
        "silence": partial(silence.measure, given, networks, sampling, place, console),
        "obedience": partial(obedience.measure, by, given, networks, sampling, place, console),
        "conservativity": partial(asymmetry.measure, model, given, networks),
    }
    made_of = {
        f"{own.network}-{control}": found(networks.name(own, control)).digest[:12]
        for control in given
        for own in NETWORKS
    }
    estimates: list[Estimate] = []
    claims: list[Claim] = []
    for name, measure in parts.items():
        console.print(f"{name} of {', '.join(given)}")
        figures, claim = measure()
        estimates += figures
        claims.append(claim)
        console.print(f"{name}: {claim.verdict}")
    return Results("MIControlNet, trained", made_of, {"scenes": count, **asdict(sampling)}, estimates, claims)
