"""Data sets for training: a version of one that Sluice built, or merged shards that lie anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from sluice.infra.storage import Storage, storage
from sluice.preprocess.version.export import scalars
from sluice.preprocess.version.manifest import UnknownVersion, Version, read_version, version_ids
from sluice.preprocess.version.reading import shard_outputs
from sluice.training.data import MissingRecords, TrainingData, TrainingShard
from sluice.training.merged import first_fields, keys_of, parquet_of, require_in_each

Split = Literal["train", "validation"]
BUILT = re.compile(r"(?P<out>(?:.*?(?<!s3:/)/)?)datasets/(?P<name>[^/]+)(?:/(?P<version>[^/]+))?/?")
"""Of whole parts of a path: `my-datasets` is no `datasets`, nor is the bucket s3://datasets."""


@dataclass(frozen=True)
class BuiltData:
    """A version, `OUT/datasets/NAME` or `OUT/datasets/NAME/VERSION`: its stages' outputs as they lie."""

    place: Storage
    version: Version

    @cached_property
    def writes(self) -> Mapping[str, Collection[str]]:
        """The fields of each stage's output."""
        return {stage["name"]: stage["writes"] for stage in self.version.manifest["stages"]}

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(field for fields in self.writes.values() for field in fields)

    @property
    def digest(self) -> str:
        return f"{self.version.dataset} {self.version.id}"

    @property
    def withdrawn(self) -> str | None:
        """The digest of what the version says since records were withdrawn from it; its id stayed."""
        said: Mapping[str, str] = self.version.manifest.get("withdrawn", {})
        return said.get("digest")

    def weights(self, field: str) -> str | None:
        """The digest of the weights that made a field."""
        made = [stage["weights"] for stage in self.version.manifest["stages"] if field in stage["writes"]]
        return made[0] if made else None

    def split(self, split: Split, fields: Collection[str]) -> TrainingData:
        """Its records of a split, with at least these fields."""
        return TrainingData(self.place.uri, tuple(self._shards(split, fields)), self.digest)

    def _shards(self, split: Split, fields: Collection[str]) -> Iterator[TrainingShard]:
        for outputs in shard_outputs(self.place, self.version):
            keys = [row["key"] for row in scalars(self.place, [asdict(o) for o in outputs]) if row["split"] == split]
            files = [output.file for output in outputs if set(self.writes[output.stage]) & set(fields)]
            yield TrainingShard(tuple(files), tuple(keys))


@dataclass(frozen=True)
class MergedData:
    """A folder of merged shards, each tar with a parquet of the same stem: what `sluice dataset export` writes."""

    place: Storage
    withdrawn: ClassVar[None] = None
    """Other files are another digest."""

    @cached_property
    def tars(self) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.place.list() if entry.path.endswith(".tar"))

    @cached_property
    def fields(self) -> frozenset[str]:
        return first_fields(self.place, self.tars[0])

    @property
    def digest(self) -> str:
        stamps = sorted((entry.path, entry.size, entry.stamp) for entry in self.place.list())
        return f"{self.place.uri} {hashlib.sha256(repr(stamps).encode()).hexdigest()[:12]}"

    def weights(self, field: str) -> str | None:  # noqa: ARG002 - nothing here says
        """Unknown of merged shards."""
        return None

    def split(self, split: Split, fields: Collection[str]) -> TrainingData:  # noqa: ARG002 - a merged tar has all
        """Its records of a split."""
        return TrainingData(self.place.uri, tuple(self._shard(tar, split) for tar in self.tars), self.digest)

    def _shard(self, tar: str, split: Split) -> TrainingShard:
        return TrainingShard((tar,), keys_of(self.place, tar, split))

    def require_parquets(self) -> None:
        """Raises MissingRecords where a tar has no parquet beside it."""
        there = {entry.path for entry in self.place.list()}
        lone = [tar for tar in self.tars if parquet_of(tar) not in there]
        if lone:
            raise MissingRecords(
                f"{self.place.uri}/{parquet_of(lone[0])} is not there ({len(lone)} of {len(self.tars)} tars lack "
                "theirs): each tar of merged shards has a parquet of the same stem beside it, with the `key` and "
                "`split` of its records. `sluice dataset export` writes both; of plain tars `sluice dataset build` "
                "makes a data set (source `webdataset`)"
            )


Data = BuiltData | MergedData
CACHED = ("latent.npy", "text.npy")


def fields_for(data: Data, base: str) -> frozenset[str]:
    """Its fields, but cached ones that are known to be made by other weights than those with the digest `base`."""
    return data.fields - {field for field in CACHED if data.weights(field) not in {None, base}}


def open_data(uri: str) -> Data:
    """The data set at a folder or s3:// prefix. Raises UnknownVersion, MissingRecords, StorageError."""
    merged, built = MergedData(storage(uri)), BUILT.fullmatch(uri)
    if built is not None:
        place = storage(built["out"] or ".")
        try:
            return BuiltData(place, read_version(place, built["name"], built["version"] or "latest"))
        except UnknownVersion:
            if _is_built(place, built["name"]) or all("/" in tar for tar in merged.tars):
                raise
    if not merged.tars:
        raise MissingRecords(
            f"{uri} holds no shards: name OUT/datasets/NAME, what `sluice dataset build` made, or a folder of merged "
            "shards, what `sluice dataset export` made"
        )
    merged.require_parquets()
    return merged


def _is_built(place: Storage, name: str) -> bool:
    """Whether a build began here, so that tars without a manifest are a version's that is not whole."""
    return bool(version_ids(place, name)) or any(place.list(f"datasets/{name}/plan/"))


def require_fields(data: Data, uri: str, wanted: Collection[str], what: str) -> None:
    """Raises MissingRecords where a data set lacks what is to be trained on."""
    lacking: list[Any] = sorted(set(wanted) - data.fields)
    if lacking:
        raise MissingRecords(
            f"{what} is trained on {', '.join(sorted(wanted))}, and {uri} lacks {', '.join(lacking)}: name the stages "
            f"that write them in its configuration and build it again; it has {', '.join(sorted(data.fields))}"
        )
    if isinstance(data, MergedData):
        require_in_each(data.place, data.tars, wanted)
