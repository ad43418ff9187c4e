"""A data set's own stages, run on pictures that it does not hold: what they show, as its records have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sluice.flows.evaluate.world import Lack
from sluice.flows.tabletop.reading import to_bytes
from sluice.infra.errors import SluiceError
from sluice.infra.settings import parse
from sluice.infra.weights.models import UnknownModel
from sluice.preprocess.graph import Node, Stage
from sluice.preprocess.planning.registry import UnknownName, source_class, stage_class
from sluice.preprocess.planning.resolve import missing_weights, resolve
from sluice.preprocess.record import Record

PICTURE, GIVEN = "jpg", "given"


class NotSeen(SluiceError):
    """A stage left out a picture that it was to see."""

    exit_code = 1


@dataclass(frozen=True)
class Anew:
    """The stages that a version's manifest names, by the fields that they write.

    What a source brought ready, such as tabletop's depth, is seen by the stage that would have made it for that source.
    """

    manifest: Mapping[str, Any]
    _open: dict[str, Stage[Any]] = field(default_factory=dict)

    @property
    def fields(self) -> list[str]:
        """All that some stage writes."""
        return [own for told in self.manifest["stages"] for own in told["writes"]]

    def lack(self, of: str) -> Lack | None:
        """Why a field cannot be made of a picture, if it cannot."""
        told = self._written(of)
        if told is None:
            return Lack(f"the data set has no {of}", "name its stage in the configuration and build again")
        try:
            stage = self._stage(of, told)
            missing = missing_weights(stage)
        except (UnknownName, UnknownModel) as error:
            return Lack(f"no stage here makes {of} ({error})", "install what brings it")
        if missing:
            return Lack(f"the stage {stage.name} lacks weights", f"`sluice models pull {' '.join(missing)}`")
        if stage.reads != (PICTURE,):
            return Lack(
                f"{of} is made of {', '.join(stage.reads)}, and a picture has none but itself",
                "nothing: it is of records alone",
            )
        if told["name"] != GIVEN and self._node(stage).fingerprint != told["fingerprint"]:
            return Lack(f"{of} was made by another {stage.name} or of other weights than are here", "build again")
        return None

    def __call__(self, of: str, pictures: Tensor) -> list[Any]:
        """A field of pictures `(batch, 3, height, width)`, values -1 to 1. Raises NotSeen."""
        records = [Record(f"{row}", values={PICTURE: own}) for row, own in enumerate(to_bytes(pictures))]
        stage = self._opened(of)
        for start in range(0, len(records), stage.batch_size):
            stage(records[start : start + stage.batch_size])
        for own in records:
            if own.rejection is not None:
                raise NotSeen(f"the stage {stage.name} finds no {of} in a picture: {own.rejection.reason}")
        return [own[of] for own in records]

    def _opened(self, of: str) -> Stage[Any]:
        stage = self._stage(of, self._written(of) or {})
        if stage.name not in self._open:
            node = self._node(stage)
            node.stage.open(node.weights_path)
            self._open[stage.name] = node.stage
        return self._open[stage.name]

    def _written(self, of: str) -> Mapping[str, Any] | None:
        return next((told for told in self.manifest["stages"] if of in told["writes"]), None)

    def _stage(self, of: str, told: Mapping[str, Any]) -> Stage[Any]:
        if told["name"] == GIVEN:
            name = of.partition(".")[0]
            defaults = source_class(self.manifest["source"]["kind"]).stage_defaults
            return _made(name, defaults.get(name, {}))
        return _made(told["name"], told["parameters"])

    def _node(self, stage: Stage[Any]) -> Node:
        """With its weights, and the fingerprint that its output would have beside the data set's pictures."""
        picture = self._written(PICTURE)
        assert picture is not None
        nodes, _ = resolve([_made(picture["name"], picture["parameters"]), stage])
        return next(node for node in nodes if node.name == stage.name)


def _made(name: str, parameters: Mapping[str, Any]) -> Stage[Any]:
    cls = stage_class(name)
    return cls(parse(cls.parameters_type, parameters, f"stages.{name}"))
