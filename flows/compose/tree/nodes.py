"""Nodes of a job's tree, and the images that they name: files, fields of drawn scenes, fields of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, field_validator

from sluice.preprocess.tabletop import LAWS

Seen = Literal["image", "canny", "hed", "depth", "pose", "parts", "mask", "background", "fg_depth", "bg_depth"]
"""What is known of a scene."""


LARGEST = 1e30
"""Of a job's numbers: what they are multiplied with is to stay within float32."""


class Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _fits_float32(cls, value: Any) -> Any:
        several = value if isinstance(value, tuple) else (value,)
        if any(isinstance(own, float) and abs(own) > LARGEST for own in several):
            raise ValueError(f"it is to be {LARGEST:g} at most")
        return value


class Scene(Node):
    """A tabletop scene by its number, and what of it: its image, or what a stage makes or the renderer knows of it."""

    scene: int = Field(ge=0, lt=10**8)
    law: str = "tabletop"
    seed: int = Field(default=0, ge=0)
    field: Seen = "image"

    @field_validator("law")
    @classmethod
    def _exists(cls, law: str) -> str:
        if law not in LAWS:
            raise ValueError(f"there is no such law; there are: {', '.join(LAWS)}")
        return law


class OfScene(Node):
    """A field of a scene, drawn at the size of the job's pictures."""

    drawn: Scene

    def __str__(self) -> str:
        return f"{self.drawn.field} of scene {self.drawn.scene}, law {self.drawn.law}, seed {self.drawn.seed}"


class OfRecord(Node):
    """A field of a record by its key: of a data set `OUT/datasets/NAME`, of a folder of shards, or of one tar.

    Fields are those of records, such as `canny.png`, or `image` and names without their suffix.
    """

    record: str
    of: str
    field: str = "image"

    def __str__(self) -> str:
        return f"{self.field} of record {self.record} of {self.of}"


FILE, SCENE, RECORD = "a file", "a scene", "a record"
SOURCES: dict[str, type[Node]] = {SCENE: OfScene, RECORD: OfRecord}


def _source(given: Any) -> str | None:
    if isinstance(given, str | Path):
        return FILE
    keys = type(given).model_fields if isinstance(given, Node) else given if isinstance(given, dict) else ()
    return SCENE if "drawn" in keys else RECORD if "record" in keys else None


Image = Annotated[
    Annotated[Path, Tag(FILE)] | Annotated[OfScene, Tag(SCENE)] | Annotated[OfRecord, Tag(RECORD)],
    Discriminator(
        _source,
        custom_error_type="no_image",
        custom_error_message="here goes a file, {drawn: {scene: 7, field: canny}} or {record: KEY, of: DATASET}",
    ),
]
"""An image beside the job's file, or one that is drawn, or of a record."""
_IMAGES: TypeAdapter[Any] = TypeAdapter(Image)


def image_of(plain: Any) -> Image:
    """An image from plain values."""
    made: Image = _IMAGES.validate_python(plain)
    return made


def kinds_of(node: type[Node]) -> tuple[object, ...]:
    """What a node's `kind` may be."""
    return get_args(node.model_fields["kind"].annotation)
