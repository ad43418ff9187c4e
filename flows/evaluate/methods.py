"""What is compared, as jobs: the base alone, ControlNets added, minimal impact, each over the same noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.flows.compose.run.safety import usual
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Prompted
from sluice.flows.evaluate.settings import MOST_SCENES
from sluice.flows.evaluate.trees import Node, text
from sluice.flows.evaluate.world import Lack
from sluice.flows.training.card import SNAPSHOTS
from sluice.infra.weights.models import MissingWeights, UnknownModel


@dataclass(frozen=True)
class Sampling:
    """How every method's pictures are made, so many for each case (`seeds`), and what judges them, if it is said."""

    base: str = "tabletop"
    steps: int = 20
    guidance: float = 5.0
    seeds: int = 3
    safety: str | None = None

    def job(self, case: Prompted, picture: Node, batch: int) -> Job:
        """Of a case by a tree; those of one `batch` are made together."""
        seeds = [case.number + MOST_SCENES * own for own in range(self.seeds)]
        made = {"prompts": [case.prompt], "seeds": seeds, "size": case.size, "steps": self.steps}
        return Job.model_validate({**made, "batch": batch, "picture": picture, "safety": self.safety})

    @property
    def judged_by(self) -> str:
        """What judges pictures before they are kept. Raises as `find`."""
        return self.safety or usual([self.base])

    @property
    def alone(self) -> Node:
        """The base under its prompt."""
        return text(self.base)


@dataclass(frozen=True)
class Method:
    """A paper's name for it, how controls are combined, which network each has, and how strongly each speaks (1).

    `limit` is what a gain is at most, where it is not what networks are trained with. An `optional` one is left out
    under controls that it has no networks for.
    """

    name: str
    kind: str | None = None
    network: str = ""
    rule: str | None = None
    strengths: tuple[float, ...] | None = None
    limit: float | None = None
    optional: bool = False

    def model(self, over: Node, networks: Networks, controls: Sequence[Mapping[str, Any]]) -> Node:
        """Over the base, under controls, which have `control`, their kind, beside what a job's have."""
        if self.kind is None:
            return over
        told = [
            {
                "network": networks.name(self, own["control"]),
                "strength": strength,
                **{key: value for key, value in own.items() if key != "control"},
            }
            for own, strength in zip(controls, self.strengths or [1.0] * len(controls), strict=True)
        ]
        how = {"rule": self.rule, "most_gain": self.limit}
        stated = {name: value for name, value in how.items() if value is not None}
        return {"kind": self.kind, "over": over, "controls": told, **stated}


@dataclass(frozen=True)
class Networks:
    """Control networks by name: `FOLDER/NAME/model`, what `sluice train evidence` makes, or `tabletop/NAME`.

    `at`: as they were after so many steps of their training.
    """

    place: str
    at: int | None = None

    def name(self, method: Method, control: str) -> str:
        """As jobs name one."""
        return self.of(f"{method.network}-{control}")

    def names(self, methods: Sequence[Method], control: str) -> list[str]:
        """Of those that methods have for a control; of the optional ones, of those that are there."""
        asked = {f"{own.network}-{control}": own.optional for own in methods if own.kind is not None}
        return [name for name, optional in asked.items() if not optional or self.has(name)]

    def lack_of_ones_own(self, names: Iterable[str]) -> Lack | None:
        """Which network of one's own is not there, if one is not."""
        missing = next((own for own in names if not self.has(own)), None)
        if missing is None:
            return None
        remedy = f"`sluice train` one to NETWORKS/{missing}, and say `--networks NETWORKS`"
        return Lack(f"there is no {self.place}/{missing}", remedy)

    def lack_of(self, names: Iterable[str]) -> Lack | None:
        """Which networks of the evidence are not there, if some are not."""
        missing = [own for own in names if not self.has(own)]
        if not missing:
            return None
        asked = " ".join(f"--only {own}" for own in missing)
        remedy = f"`sluice train evidence {asked}`, and then `--networks OUT/networks`"
        return Lack(f"{self.place} has no {' and no '.join(missing)}", remedy)

    def has(self, name: str) -> bool:
        """Whether one is there."""
        try:
            found(self.of(name))
        except (UnknownModel, MissingWeights):
            return False
        return True

    def of(self, name: str) -> str:
        """The same by its own name."""
        own = f"{self.place}/{name}"
        if self.at is not None:
            return str((self.snapshots(name) / f"{self.at:09}").absolute())
        trained = Path(own) / "model"
        return str(trained.absolute()) if trained.is_dir() else own

    def snapshots(self, name: str) -> Path:
        """The folder of those that a training with `snapshot_steps` saves."""
        return Path(self.place, name, SNAPSHOTS)


BASE = Method("base alone")
CONTROLNET = Method("ControlNet", "multi_controlnet", "controlnet")
REBALANCED = Method("ControlNet**", "multi_controlnet", "controlnet-rebalanced", optional=True)
FIRST_STAGE = Method("MIControlNet, stage 1", "minimal_impact", "micontrolnet-1")
MICONTROLNET = Method("MIControlNet", "minimal_impact", "micontrolnet")
