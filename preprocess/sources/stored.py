"""What sources that read files share: their storage, listings that explain themselves, one image an item."""

from __future__ import annotations

import posixpath
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from sluice.infra.local import LocalStorage
from sluice.infra.storage import (
    Entry,
    FileDenied,
    MissingFile,
    Storage,
    StorageError,
    Unreachable,
    stays_inside,
    storage,
)
from sluice.preprocess.sources import Address, Item, Raw, Source, SourceConfig, SourceError, UnreachableSource
from sluice.preprocess.sources.safe_paths import printable

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
LARGEST_FILE = 512 << 20
# Only these speak of one file; any other storage error is the place's own and must stop or be tried again. So must a
# bucket's refusal: credentials that expire would else leave out image after image.
UNREADABLE = (MissingFile, FileDenied)

C = TypeVar("C", bound=SourceConfig)


def extension(path: str) -> str:
    """A path's extension, lower case, with its dot."""
    return posixpath.splitext(path)[1].lower()


def is_image(path: str) -> bool:
    """Whether a path ends as images do; files and folders whose names start with a dot are passed over."""
    return extension(path) in IMAGE_EXTENSIONS and not any(part.startswith(".") for part in path.split("/"))


def trouble(entry: Entry, largest: int = LARGEST_FILE) -> str | None:
    """Why a listed file is not to be read, or None; `largest` in bytes."""
    if entry.outside:
        return f"'{printable(entry.path)}' is a symbolic link that leads out of the source's folder"
    if not stays_inside(entry.path):
        return f"the key '{printable(entry.path)}' starts with '/' or has '..' in it; rename the object"
    if printable(entry.path) != entry.path:
        return f"the name '{printable(entry.path)}' is not UTF-8; rename the file"
    if entry.size > largest:
        return f"'{entry.path}' has {entry.size} bytes, more than the {largest} that one file may have"
    return None


def item_of(entry: Entry, beside: Sequence[Entry] = (), locator: str = "", more_stamps: Sequence[str] = ()) -> Item:
    """The item of one image file and the files beside it that its record depends on."""
    errors = (trouble(e) for e in (entry, *beside))
    stamp = "+".join((entry.stamp, *(e.stamp for e in beside), *more_stamps))
    return Item(printable(entry.path), entry.size, stamp, 1, locator, next(filter(None, errors), None))


class StoredSource(Source[C]):
    """A source whose URI is a folder or a bucket's prefix."""

    @cached_property
    def storage(self) -> Storage:
        """Where it lies; connected in the process that reads."""
        try:
            return storage(self.config.uri)
        except StorageError as error:
            raise SourceError(f"The {self.kind} source cannot be opened: {error}") from error

    @property
    def retries(self) -> int:
        return self.storage.retries

    def listing(self, prefix: str = "") -> Iterator[Entry]:
        """The files under `prefix`. Raises SourceError where the place cannot be listed."""
        try:
            yield from self.storage.list(prefix)
        except StorageError as error:
            kind = UnreachableSource if isinstance(error, Unreachable) else SourceError
            raise kind(f"The {self.kind} source {self.config.uri} cannot be listed: {error}") from error

    def wrong_layout(self, expected: str) -> SourceError:
        """The error of a place that holds something else, or is not there."""
        if isinstance(self.storage, LocalStorage) and not self.storage.root.exists():
            return SourceError(f"The {self.kind} source {self.storage.uri} does not exist. Is the path right?")
        return SourceError(f"{self.config.uri} is not a {self.kind} source: {expected}")


class ImageFiles(StoredSource[C]):
    """A source whose items are single images: scanning an item is reading it whole."""

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        for item in items:
            address = Address(item.uri, item.uri, item.locator)
            if item.error:
                yield Raw(address, error=item.error)
            else:
                yield self._attempt(address, ("raw", "raw.json", *self.companions))

    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        for address in addresses:
            yield self._attempt(address, fields)

    @abstractmethod
    def load(self, address: Address, fields: Collection[str]) -> Raw:
        """One image with these fields. A storage's MissingFile and FileDenied become the Raw's error."""

    def _attempt(self, address: Address, fields: Collection[str]) -> Raw:
        try:
            return self.load(address, fields)
        except UNREADABLE as error:
            return Raw(address, error=str(error))
