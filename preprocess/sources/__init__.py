"""Where raw images come from: the contract of a source, and what it hands over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from sluice.infra.errors import SluiceError


class SourceError(SluiceError):
    """The source cannot be listed or read: a wrong URI, a missing bucket, a layout that is not what its kind says."""


class UnreachableSource(SourceError):
    """Who keeps the source does not answer."""

    exit_code = 1


class SourceConfig(BaseModel):
    """What every source needs to know: its URI, a folder or `s3://bucket/prefix`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    uri: str


@dataclass(frozen=True)
class Item:
    """What a listing shows, and the unit in which change is noticed: an image with its sidecars, a tar, a parquet file.

    `stamp` changes whenever the item (or a sidecar of it) does: etag, or modification time and size. `images` is how
    many images the listing promises, None where only reading tells. `locator` is what the source wants to find again
    when it scans the item; `error` is what the listing already shows to be wrong, such as a link out of the folder.
    URIs are relative to the source's own, so that a moved folder makes the same records.
    """

    uri: str
    size: int
    stamp: str
    images: int | None = 1
    locator: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Address:
    """Where one image lies: its URI (unique, stable), the item that holds it, and the source's own locator in it."""

    uri: str
    item: str
    locator: str = ""


@dataclass
class Raw:
    """One image as the source has it: `fields["raw"]` the file's bytes, `fields["raw.json"]` captions and origin,
    other `raw.<name>` companions (pixel maps, ready conditions). `error` says why it could not be read.

    `container` names what may share a shard with it: a tar, a row group, "" for the files of a folder.
    """

    address: Address
    fields: dict[str, bytes] = field(default_factory=dict)
    container: str = ""
    error: str | None = None


C = TypeVar("C", bound=SourceConfig)


class Source(ABC, Generic[C]):
    """Lists items, scans them once for the index, reads single images again for the stages.

    `scan` and `read` never raise for one bad image: it comes back as a Raw with an `error`. An item of which `scan`
    hands over nothing is passed over without a word. They raise SourceError when the place itself is wrong. `raw.json`
    is `{"captions": [str, ...], "origin": {...}}`, encoded with sorted keys; captions that are not UTF-8 are decoded
    with replacement characters and say so in origin["warnings"].

    An item that comes with an `error` is not read: `scan` hands over a Raw with that error. `decodes` says that reading
    for the index decodes pictures, which is then done in workers: one may kill who decodes it.

    `stage_defaults` are parameters by stage for a configuration that names no model: networks made for these images.
    """

    kind: ClassVar[str]
    config_type: ClassVar[type[SourceConfig]] = SourceConfig
    companions: ClassVar[tuple[str, ...]] = ()
    decodes: ClassVar[bool] = False
    stage_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def retries(self) -> int:
        """How many requests were repeated so far, in this process."""
        return 0

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """Every item, in the order of URIs, from listings alone."""

    @abstractmethod
    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        """Every image of these items with all its fields, one at a time."""

    @abstractmethod
    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        """These images with (at least) these raw fields, in any order."""
