"""The stage for human poses: 18 points a person, and their picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.perception.judges_folder import is_judges
from sluice.preprocess.perception.skeleton import Person, describe, draw
from sluice.preprocess.record import Array, Record


class PoseParameters(LearnedParameters):
    """`model`: `openpose-thin`, `vitpose-base`, `dwpose`, the tabletop family's judges, or weights of these kinds by
    path.

    `threshold`: the confidence below which a point counts as unseen; without one the network's customary value, 0.1
    for OpenPose, 0.5 for tabletop's and 0.3 for the others. `detector` finds the people for ViTPose: a catalogue name
    or a folder of any transformers detector that knows the class `person`; the other networks bring their own.
    """

    model: str = "openpose-thin"
    threshold: float | None = Field(default=None, gt=0, lt=1)
    detector: str = "rt-detr"


class Pose(Stage[PoseParameters]):
    """Everybody's points in `pose.json`, their skeletons in `pose.png`.

    `pose.json` is `{"people": [{"points": [[x, y, confidence], ... 18], "score": mean confidence}]}`, in pixels of the
    record's image, the best seen person first, an unseen point `[0, 0, 0]`; `people` is empty where nobody is seen.
    """

    name = "pose"
    parameters_type = PoseParameters
    reads = ("jpg",)
    writes = ("pose.png", "pose.json")
    people: Callable[[Array], list[Person]]

    @property
    def further_weights(self) -> tuple[str, ...]:
        return (self.parameters.detector,) if self._has_boxes_from_elsewhere else ()

    @property
    def takes_batches(self) -> bool:
        return self._has_boxes_from_elsewhere

    @property
    def _has_boxes_from_elsewhere(self) -> bool:
        folder = Path(self.parameters.model)
        if self.parameters.model.startswith("vitpose"):
            return True
        return folder.is_dir() and not any(folder.glob("*.onnx")) and not is_judges(folder)

    def open(self, weights: Path | None) -> None:
        if weights is None:
            raise ValueError("the stage 'pose' needs weights: there is no pose without a network; see `sluice models`")
        if weights.is_file():
            self.people = self._openpose(weights)
        elif is_judges(weights):
            self.people = self._tabletop(weights)
        elif any(weights.glob("*.onnx")):
            self.people = self._dwpose(weights)
        else:
            self.people = self._vitpose(weights)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            image = record["jpg"]
            people = self.people(image)
            record["pose.json"] = describe(people)
            record["pose.png"] = draw(people, *image.shape[:2])

    def _openpose(self, weights: Path) -> Callable[[Array], list[Person]]:
        from sluice.preprocess.perception.openpose import POINT_THRESHOLD, OpenPose

        return OpenPose(weights, self.parameters.threshold or POINT_THRESHOLD)

    def _dwpose(self, weights: Path) -> Callable[[Array], list[Person]]:
        from sluice.preprocess.perception.dwpose import POINT_THRESHOLD, DwPose

        p = self.parameters
        return DwPose(weights, p.threshold or POINT_THRESHOLD, p.cpus, p.gpus)

    def _tabletop(self, weights: Path) -> Callable[[Array], list[Person]]:
        from sluice.preprocess.perception.device import device
        from sluice.preprocess.perception.tabletop import POINT_THRESHOLD, TabletopSight

        sight, threshold = TabletopSight.load(weights, device(self.parameters.gpus)), self.parameters.threshold
        return lambda image: sight.people(image, threshold or POINT_THRESHOLD)

    def _vitpose(self, weights: Path) -> Callable[[Array], list[Person]]:
        from sluice.infra.weights.models import find
        from sluice.preprocess.perception.device import device, dtype
        from sluice.preprocess.perception.vitpose import POINT_THRESHOLD, VitPose

        p = self.parameters
        place = device(p.gpus)
        precision = dtype(p.precision, place)
        return VitPose(weights, find(p.detector).path, place, precision, p.batch_size, p.threshold or POINT_THRESHOLD)
