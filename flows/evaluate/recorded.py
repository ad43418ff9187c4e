"""Records of a data set as cases, of its validation split: on these nothing was trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from sluice.flows.compose.tree.images import FIELDS, SPLITS
from sluice.flows.evaluate.obeyed import HIPS, SHOULDERS
from sluice.flows.training.data import MergedData, Split, open_data
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.infra.settings import ConfigError
from sluice.preprocess.record import Array, Record, decode_jpeg
from sluice.training.data import TrainingData, TrainingShard
from sluice.training.examples import image

AT_ONCE = 64
"""Records read together."""
TORSO = [*SHOULDERS, *HIPS]
NOBODY = np.zeros((0, 18, 3))


@dataclass(frozen=True, eq=False)
class Recorded:
    """A record, the size of its picture, and in which tar of the data set each of its fields lies."""

    number: int
    record: Record
    size: int
    tars: Mapping[str, str]

    @property
    def prompt(self) -> str:
        return str(self.record["txt"])

    @property
    def people(self) -> Array:
        return people_of(self.record)

    def image(self, field: str) -> dict[str, Any]:
        """By the tar: one that names the data set would be looked for in all of its shards."""
        return {"record": self.record.key, "of": self.tars[named(field)], "field": field}

    def levels(self, field: str) -> Array:
        return np.ascontiguousarray(image(self.record, named(field), self.size).permute(1, 2, 0))


def people_of(record: Record) -> Array:
    """Those of whom shoulders and hips are seen."""
    if "pose.json" not in record:
        return NOBODY
    found = np.array([own["points"] for own in record["pose.json"]["people"]]).reshape(-1, *NOBODY.shape[1:])
    return found[(found[:, TORSO, 2] > 0).all(axis=1)]


def named(field: str) -> str:
    """The field of a record that jobs call so."""
    return FIELDS.get(field, f"{field}.png")


@dataclass(frozen=True)
class Sought:
    """What cases are to have, as some fields of a record tell: no others are read of those that lack it."""

    fields: tuple[str, ...]
    told: Callable[[Record], bool]


ANY = Sought((), lambda _: True)


class HeldOut:
    """Records of a data set that `sluice dataset build` made, read in their order as they are asked for.

    Where too few are for validation, they are the last ones. Raises ConfigError for other data.
    """

    def __init__(self, uri: str) -> None:
        data = open_data(uri)
        if isinstance(data, MergedData):
            raise ConfigError(
                f"--data {uri}: merged shards do not say which stages made them, and these see in pictures what was "
                "asked for; name OUT/datasets/NAME, what `sluice dataset build` made"
            )
        if lacking := sorted({"jpg", "txt"} - data.fields):
            raise ConfigError(f"--data {uri}: records without {' and '.join(lacking)} are no cases; build with `image`")
        self.uri, self.data = uri, data
        self._read: dict[str, Recorded] = {}
        self._found: dict[Sought, tuple[list[Recorded], Iterator[Recorded]]] = {}

    @property
    def told(self) -> str:
        """The data set, its version and the split, for results."""
        return f"{self.data.digest}, {self.split}"  # `train` where nothing is held out

    @property
    def version(self) -> str:
        """As a folder's name."""
        return self.data.digest.replace(" ", "-")

    @property
    def count(self) -> int:
        """Of all records that can be cases."""
        return sum(self._held[1].counts)

    @property
    def split(self) -> Split:
        return self._held[0]

    def first(self, count: int, sought: Sought = ANY) -> list[Recorded]:
        """So many with something, or all that there are; numbered anew."""
        found, left = self._found.setdefault(sought, ([], self._having(sought)))
        found += islice(left, max(0, count - len(found)))
        return [replace(own, number=number) for number, own in enumerate(found[:count])]

    @cached_property
    def _held(self) -> tuple[Split, TrainingData]:
        train, validation = (self.data.split(split, self._fields) for split in SPLITS)
        if sum(validation.counts) >= MINIMUM:
            return "validation", validation
        if sum(train.counts) < MINIMUM:
            raise ConfigError(f"--data {self.uri} has {sum(train.counts)} records, and intervals take {MINIMUM}")
        last = [replace(shard, keys=shard.keys[::-1]) for shard in train.shards[::-1]]
        return "train", replace(train, shards=tuple(last))

    @cached_property
    def _fields(self) -> frozenset[str]:
        return frozenset(own for own in self.data.fields if own.endswith((".png", "jpg"))) | {"txt", "pose.json"}

    def _having(self, sought: Sought) -> Iterator[Recorded]:
        _, held = self._held
        for shard in held.shards:
            keys = self._told(held, shard, sought)
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                self._keep(held, replace(shard, keys=tuple(key for key in some if key not in self._read)))
                yield from (self._read[key] for key in some)

    def _told(self, held: TrainingData, shard: TrainingShard, sought: Sought) -> tuple[str, ...]:
        """The keys of a shard's records that have something."""
        if not sought.fields:
            return shard.keys
        files = tuple(file for file in shard.files if not self._writes(file).isdisjoint(sought.fields))
        read = held.read(replace(shard, files=files), sought.fields)
        return tuple(key for key in shard.keys if sought.told(Record(key, dict(read[key]))))

    def _keep(self, held: TrainingData, shard: TrainingShard) -> None:
        if not shard.keys:
            return
        tars = {field: f"{held.uri}/{file}" for file in shard.files for field in self._writes(file)}
        found = held.read(shard, self._fields & self.data.fields)
        for key in shard.keys:
            height, width, _ = decode_jpeg(found[key]["jpg"]).shape
            if (height, width) != (self._size or height, self._size or height):
                raise ConfigError(
                    f"--data {self.uri}: record {key} is {width} x {height} pixels, and pictures that are compared are "
                    "squares of one size; build the data set with `stages.image.crop=center`"
                )
            self._read[key] = Recorded(len(self._read), Record(key, dict(found[key])), height, tars)

    def _writes(self, file: str) -> frozenset[str]:
        """Of a stage's tar, `stages/NAME/...`, its fields."""
        return frozenset(self.data.writes[file.split("/")[1]])

    @property
    def _size(self) -> int | None:
        return next((own.size for own in self._read.values()), None)
