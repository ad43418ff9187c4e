"""The stage for conditions that the source brings ready-made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.record import Record

Condition = Literal[
    "segments", "canny", "hed", "depth", "pose", "pose.json", "parts", "mask", "background", "fg_depth", "bg_depth"
]

FIELD = {"background": "bg.jpg", "pose.json": "pose.json"}
"""The field of a condition, where it is not the condition's name with `.png`."""


class GivenParameters(Parameters):
    """`conditions`: which of the source's ready conditions to take; their own stages are then left out."""

    conditions: tuple[Condition, ...] = Field(("segments",), min_length=1)


class Given(Stage[GivenParameters]):
    """Ready conditions in the record's geometry: MultiGen-20M's controls and segmentations, COCO-Stuff's masks, the
    tabletop's truths.

    A record whose source lacks one of them is quarantined: every record of a data set has the same fields.
    """

    name = "given"
    version = 2
    parameters_type = GivenParameters

    def __init__(self, parameters: GivenParameters) -> None:
        super().__init__(parameters)
        self.reads = ("json", *(f"raw.{name}" for name in parameters.conditions))
        self.writes = tuple(_field(name) for name in parameters.conditions)

    def __call__(self, records: Sequence[Record]) -> None:
        from sluice.preprocess.perception.geometry import Geometry
        from sluice.preprocess.perception.given import given

        for record in records:
            geometry = Geometry.from_json(record["json"]["geometry"])
            for name in self.parameters.conditions:
                if f"raw.{name}" not in record:
                    record.reject(f"the source has no ready '{name}' for this image")
                    break
                record[_field(name)] = given(name, record[f"raw.{name}"], geometry)


def _field(condition: str) -> str:
    return FIELD.get(condition, f"{condition}.png")
