"""The image stage: what every record starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.perception.decode import DecodeError, Header, decode, read_header
from sluice.preprocess.perception.geometry import apply_to_image, plan_geometry
from sluice.preprocess.record import MAX_PIXELS, Record

# Never change it: the split of every record of every data set hangs on it.
SPLIT_SALT = "sluice:split:1:"


class ImageParameters(Parameters):
    """`size`: the shorter side in pixels. `crop`: `center` gives squares (CnC), `none` keeps the aspect and crops only
    to multiples of `multiple_of`. `validation`: the share of records that are held out.

    Filters, by the original: `min_side` in pixels (half of `size` allows enlarging twice; set it to `size` to allow
    none), `max_aspect` longer by shorter side, captions in characters. A caption outside the limits is left out, never
    cut; a record leaves the data set when none of its captions is left, or when captions are asked for (`min_caption`
    above 0) and it has none.
    """

    size: int = Field(default=512, ge=8)
    crop: Literal["center", "none"] = "center"
    multiple_of: int = Field(default=8, ge=1)
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    min_side: int = Field(default=256, ge=0)
    max_aspect: float = Field(default=4.0, ge=1)
    min_caption: int = Field(default=0, ge=0)
    max_caption: int = Field(default=2000, ge=1)
    validation: float = Field(default=0.02, ge=0, le=1)

    @model_validator(mode="after")
    def _size_is_a_multiple(self) -> ImageParameters:
        if self.crop == "none" and self.size % self.multiple_of:
            raise ValueError(f"size {self.size} is not a multiple of multiple_of = {self.multiple_of}")
        return self

    @model_validator(mode="after")
    def _captions_have_room(self) -> ImageParameters:
        if self.min_caption > self.max_caption:
            raise ValueError(
                f"no caption has between min_caption = {self.min_caption} and {self.max_caption} characters"
            )
        return self


def split_of(key: str, validation: float) -> Literal["train", "validation"]:
    """The split of a key, stable for ever; raising `validation` only moves records from train to validation."""
    draw = int.from_bytes(hashlib.sha256((SPLIT_SALT + key).encode()).digest()[:8], "big") / 2**64
    return "validation" if draw < validation else "train"


class Image(Stage[ImageParameters]):
    """Decode, turn upright, colour-manage, resize, crop; keep captions, origin and geometry."""

    name = "image"
    version = 1
    parameters_type = ImageParameters
    reads = ("raw", "raw.json")
    writes = ("jpg", "txt", "json")

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            try:
                self._fill(record)
            except DecodeError as error:
                record.reject(str(error))

    def _fill(self, record: Record) -> None:
        raw: bytes = record["raw"]
        about: dict[str, Any] = json.loads(record["raw.json"])
        header = read_header(raw, self.parameters.max_pixels)
        captions = [c for c in about["captions"] if self._fits(c)]
        unwanted = self._unwanted(header) or self._unwanted_captions(about["captions"], captions)
        if unwanted:
            return record.reject(unwanted, "filtered")
        p = self.parameters
        geometry = plan_geometry(header.size, p.size, p.crop, header.orientation, p.multiple_of)
        record["jpg"] = apply_to_image(decode(raw, header, geometry.stored), geometry)
        record["txt"] = captions[0] if captions else ""
        record["json"] = {
            "key": record.key,
            "sha256": about["sha256"],
            "origin": about["origin"],
            "original": {"size": list(header.size), "mode": header.mode, "format": header.format},
            "geometry": geometry.to_json(),
            "captions": captions,
            "split": split_of(record.key, p.validation),
        }
        return None

    def _fits(self, caption: str) -> bool:
        return self.parameters.min_caption <= len(caption) <= self.parameters.max_caption

    def _unwanted(self, header: Header) -> str | None:
        short, long = sorted(header.size)
        if short < self.parameters.min_side:
            return f"the shorter side has {short} pixels, fewer than min_side = {self.parameters.min_side}"
        if long > self.parameters.max_aspect * short:
            return f"{header.size[0]} x {header.size[1]} is longer than max_aspect = {self.parameters.max_aspect:g}"
        return None

    def _unwanted_captions(self, given: Sequence[str], kept: Sequence[str]) -> str | None:
        if kept or not (given or self.parameters.min_caption):
            return None
        if not given:
            return f"no caption, where min_caption = {self.parameters.min_caption} asks for one"
        lengths = f"min_caption = {self.parameters.min_caption} to max_caption = {self.parameters.max_caption}"
        return f"no caption within {lengths}: the first has {len(given[0])} characters"
