"""A version of a data set, stored and read back: its manifest is written last, and aliases point to it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from sluice.infra.errors import SluiceError
from sluice.infra.shape import read_shaped
from sluice.infra.storage import MissingFile, Storage

KEPT_BEFORE = 100
ANEW = (
    "the build that made it writes it anew, from the same images and the same configuration, once it is deleted. After "
    "another build, a removal or new images none does: point its aliases elsewhere (`sluice dataset alias`) before"
)
"""What becomes of a damaged file of a version."""


class UnknownVersion(SluiceError):
    """The data set has no such version or alias."""


class DamagedVersion(UnknownVersion):
    """A file of a version, or an alias, cannot be read."""

    exit_code = 1


class _Counts(BaseModel):
    images: int
    records: int
    duplicates: int
    quarantined: int
    filtered: int


class _Source(BaseModel):
    kind: str


class _Stage(BaseModel):
    name: str
    version: int
    parameters: dict[str, Any]
    model: str | None
    weights: str | None
    reads: list[str]
    writes: list[str]
    parents: list[str]
    fingerprint: str
    notes: list[str]


class _Manifest(BaseModel):
    """What readers of a manifest count on."""

    bytes: int
    counts: _Counts
    left_out: list[str]
    planned_shards: int
    shards: list[tuple[int, str, int]]
    source: _Source
    stages: list[_Stage]


class _Alias(BaseModel):
    version: str = Field(pattern="^[0-9a-f]{12}$")
    before: list[str] = []


@dataclass(frozen=True)
class Version:
    """A version as its manifest says it."""

    dataset: str
    id: str
    manifest: dict[str, Any]

    @property
    def prefix(self) -> str:
        return f"datasets/{self.dataset}/{self.id}"

    @property
    def limited(self) -> bool:
        """Whether it has only the first shards of its plan (`build --limit`)."""
        return len(self.manifest["shards"]) < int(self.manifest["planned_shards"])


def store_version(storage: Storage, version: Version, files: Mapping[str, bytes]) -> None:
    """Write a version's files, its manifest last, and let `latest` point to it where it may."""
    for name, data in files.items():
        storage.write(f"{version.prefix}/{name}", data)
    storage.write(f"{version.prefix}/manifest.json", json.dumps(version.manifest, indent=1, sort_keys=True).encode())
    set_latest(storage, version)


def set_latest(storage: Storage, version: Version) -> None:
    """Let `latest` point to a version, unless that has only the first shards and the latest one has all."""
    if version.limited:
        with suppress(UnknownVersion):
            if not read_version(storage, version.dataset).limited:
                return
    point(storage, version, "latest")


def point(storage: Storage, version: Version, alias: str) -> None:
    """Let an alias, which may be new, point to a version; it keeps the ids that it pointed to before, oldest first."""
    before = alias_history(storage, version.dataset, alias)
    if before[-1:] != [version.id]:
        said = {"version": version.id, "before": before[-KEPT_BEFORE:]}
        storage.write(f"datasets/{version.dataset}/aliases/{alias}.json", json.dumps(said).encode())


def read_alias(storage: Storage, dataset: str, alias: str) -> list[str]:
    """The ids that an alias pointed to, oldest first, the present one last. Raises MissingFile, DamagedVersion."""
    path = f"datasets/{dataset}/aliases/{alias}.json"
    try:
        said = read_shaped(_Alias, storage.read(path))
    except ValueError as error:
        raise DamagedVersion(
            f"{storage.uri}/{path} is damaged ({error}); `sluice dataset alias` writes it anew, and so does the next "
            "build if it is latest; until then name a version by its id"
        ) from error
    return [*said.get("before", ()), said["version"]]


def alias_history(storage: Storage, dataset: str, alias: str = "latest") -> list[str]:
    """The same, none where it is not there or damaged."""
    try:
        return read_alias(storage, dataset, alias)
    except (MissingFile, DamagedVersion):
        return []


def _none_yet(storage: Storage, dataset: str) -> str:
    others = [name for name in storage.folders("datasets") if name != dataset]
    named = f", or name another of the data sets there: {', '.join(others)}" if others else ""
    return f"it has none yet: run `sluice dataset build`{named}"


def read_version(storage: Storage, dataset: str, name: str = "latest") -> Version:
    """A version by id (or its beginning) or alias. Raises UnknownVersion, DamagedVersion."""
    with suppress(MissingFile):
        name = read_alias(storage, dataset, name)[-1]
    ids = version_ids(storage, dataset)
    found = [version for version in ids if name and version.startswith(name)]
    if len(found) != 1:
        there = f"there are: {', '.join(ids)}" if ids else _none_yet(storage, dataset)
        raise UnknownVersion(f"data set '{dataset}' in {storage.uri} has no version '{name}'; {there}")
    return version_of(storage, dataset, found[0])


def version_of(storage: Storage, dataset: str, id_: str) -> Version:
    """A version by its whole id. Raises DamagedVersion, MissingFile."""
    path = f"datasets/{dataset}/{id_}/manifest.json"
    try:
        return Version(dataset, id_, read_shaped(_Manifest, storage.read(path)))
    except ValueError as error:
        raise DamagedVersion(f"{storage.uri}/{path} is damaged ({error}); {ANEW}") from error


def version_ids(storage: Storage, dataset: str) -> list[str]:
    """The ids of all versions of a data set."""
    paths = (entry.path.split("/") for entry in storage.list(f"datasets/{dataset}/"))
    return sorted(path[2] for path in paths if len(path) == 4 and path[3] == "manifest.json")


def table_rows(storage: Storage, version: Version, name: str) -> Iterator[dict[str, Any]]:
    """The rows of `shards.parquet` or `quarantine.parquet` of a version, a batch of them at a time.

    Raises MissingFile, DamagedVersion.
    """
    path = f"{version.prefix}/{name}"
    try:
        data = storage.read(path)
    except MissingFile as error:
        raise MissingFile(
            f"{storage.uri}/{path} is missing, and only it says what version {version.id} is made of: the build that "
            "made it writes it anew, from the same images and the same configuration; else name another version"
        ) from error
    try:
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches():
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedVersion(f"{storage.uri}/{path} is damaged ({' '.join(str(error).split())}); {ANEW}") from error
