"""COCO-MIG's own file of prompts and boxes, as cases (MIGC, Sec. 4; LeyRio/MIG_Bench).

`{"KEY": {"caption": ..., "segment": [{"bbox": [left, top, right, bottom], "label": "a red cat"}, ...]}}`, boxes in
shares of the picture. Nouns that are all tabletop's shapes are seen by the judges, others as COCO-MIG sees them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor

from sluice.flows.compose.tree.models import Share
from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.crowds import shares
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.grounded import Grounded
from sluice.inference.metrics.instances import RANGES, Detect, Instance, Segment
from sluice.inference.metrics.judged import judged
from sluice.infra.digests import sha256_of
from sluice.infra.settings import ConfigError
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import with_article

DETECTOR, SEGMENTER, JUDGES = "grounding-dino", "sam-vit-h", "judges"
ARTICLES = {"a", "an", "the"}
MOST = 30
"""Boxes that GLIGEN takes."""


class Segmented(BaseModel):
    """An instance as the file has it."""

    model_config = ConfigDict(frozen=True)

    bbox: tuple[Share, Share, Share, Share]
    label: str

    @property
    def words(self) -> list[str]:
        """Without the article: the colour, and the noun."""
        return [own for own in self.label.lower().split() if own not in ARTICLES]

    @property
    def noun(self) -> str:
        return " ".join(self.words[1:])

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        left, top, right, bottom = self.bbox
        if not (left < right and top < bottom):
            raise ValueError(f"a bbox is left, top, right, bottom in shares of the picture, and not {list(self.bbox)}")
        if self.words[:1] and self.words[0] in RANGES and self.noun:
            return self
        raise ValueError(
            f"a label is a colour ({', '.join(RANGES)}) and a noun, as 'a red cat', and not '{self.label}'"
        )


class Asked(BaseModel):
    """A picture as the file has it; what else it says of one is not read."""

    model_config = ConfigDict(frozen=True)

    caption: str = Field(min_length=1)
    segment: tuple[Segmented, ...] = Field(min_length=1, max_length=MOST)


@dataclass(frozen=True)
class AskedCase:
    """A case of the file, by its place there; the box model is told labels, or `plain` nouns."""

    number: int
    key: str
    asked: Asked
    size: int
    plain: bool

    @property
    def prompt(self) -> str:
        return self.asked.caption

    @property
    def instances(self) -> list[Instance]:
        found = []
        for own in self.asked.segment:
            left, top, right, bottom = (edge * self.size for edge in own.bbox)
            found.append(Instance(own.noun, own.words[0], (left, top, right, bottom)))
        return found

    @property
    def things(self) -> list[dict[str, Any]]:
        return [
            {"phrase": with_article(own.noun) if self.plain else own.label, "box": list(own.bbox)}
            for own in self.asked.segment
        ]


@dataclass(frozen=True)
class CocoMig:
    """A file, whose pictures have the size of a base."""

    file: Path
    base: str
    detector: str = DETECTOR
    segmenter: str = SEGMENTER
    pictured: bool = False

    @cached_property
    def asked(self) -> dict[str, Asked]:
        """By key. Raises ConfigError for what is no such file."""
        try:
            return TypeAdapter(dict[str, Asked]).validate_python(json.loads(self.file.read_bytes()))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"--data {self.file} is no JSON that can be read: {error}") from error
        except ValidationError as error:
            (first, *_) = error.errors()
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ConfigError(
                f"--data {self.file}, {where}: {first['msg']}. Expected is COCO-MIG's own file: "
                '{"KEY": {"caption": ..., "segment": [{"bbox": [0.1, 0.2, 0.5, 0.9], "label": "a red cat"}]}}'
            ) from error

    @cached_property
    def version(self) -> str:
        """Its name and the digest of what it says."""
        return f"{self.file.stem}-{sha256_of(self.file)[:12]}"

    @property
    def count(self) -> int:
        """Of pictures that it asks for."""
        return len(self.asked)

    @property
    def told(self) -> str:
        """For results."""
        return f"COCO-MIG's file {self.version}"

    @cached_property
    def by_judges(self) -> bool:
        """Whether they know all nouns."""
        return all(own.noun in SHAPES for asked in self.asked.values() for own in asked.segment)

    @property
    def weights(self) -> dict[str, str]:
        """Places of what sees instances, by name."""
        if self.by_judges:
            return {JUDGES: f"{self.base}/{JUDGES}"}
        return {DETECTOR: self.detector, SEGMENTER: self.segmenter}

    def cases(self, count: int) -> list[AskedCase]:
        size, plain = size_of(self.base), self.by_judges
        every = [AskedCase(at, key, asked, size, plain) for at, (key, asked) in enumerate(self.asked.items())]
        levels = sorted({len(own.instances) for own in every})
        return [
            case
            for level, own in shares(count, levels).items()
            for case in islice((each for each in every if len(each.instances) == level), own)
        ]

    def sees(self, picture: Tensor) -> tuple[Detect, Segment]:
        if self.by_judges:
            return judged(self._judges, picture)
        return self._grounded(to_bytes(picture[None])[0])

    @cached_property
    def _judges(self) -> Judges:
        return Judges.load(found(f"{self.base}/{JUDGES}").path)

    @cached_property
    def _grounded(self) -> Grounded:
        return Grounded.load(found(self.detector).path, found(self.segmenter).path)


def size_of(base: str) -> int:
    """Pixels a side of the pictures that a base was trained on."""
    folder = found(base).path
    unet, vae = (json.loads((folder / part / "config.json").read_bytes()) for part in ("unet", "vae"))
    return int(unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1))
