"""Tars of images as img2dataset writes them: `<key>.jpg` with `<key>.txt` and `<key>.json`."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import BinaryIO

from sluice.preprocess.sources import Address, Item, Raw, SourceConfig
from sluice.preprocess.sources.captions import Beside
from sluice.preprocess.sources.folder import SIDECARS
from sluice.preprocess.sources.safe_paths import printable
from sluice.preprocess.sources.stored import IMAGE_EXTENSIONS, UNREADABLE, StoredSource, extension, trouble
from sluice.preprocess.sources.tars import BrokenTar, Member, members


class WebDataset(StoredSource[SourceConfig]):
    """Every image of every tar; what img2dataset puts beside them (`.parquet`, `_stats.json`) is passed over.

    An image's URI is `<tar>#<member>`. Nothing is unpacked and nothing decoded but text and JSON. A key met again in
    the same tar, a link, a device and an unsafe name are errors; so is a break, and what stands before it is good.
    """

    kind = "webdataset"

    def items(self) -> Iterator[Item]:
        empty = True
        for entry in self.listing():
            if extension(entry.path) == ".tar":
                empty = False
                error = trouble(entry, largest=entry.size)
                yield Item(printable(entry.path), entry.size, entry.stamp, None, error=error)
        if empty:
            raise self.wrong_layout("there is no .tar in it. Is the path right?")

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        for item in items:
            try:
                if item.error:
                    yield self._error(item.uri, item.uri, item.error)
                else:
                    with self.storage.open(item.uri) as stream:
                        found = self._scan_tar(item.uri, stream)
                        yield next(found, self._error(item.uri, item.uri, "it holds no image"))
                        yield from found
            except UNREADABLE as error:
                yield self._error(item.uri, item.uri, str(error))

    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        # In the order of the tars, where one request to S3 fetches many neighbours.
        placed = sorted(addresses, key=lambda a: (a.item, _first_byte(a)))
        for tar, of_tar in groupby(placed, key=lambda a: a.item):
            yield from self._read_tar(tar, list(of_tar), fields)

    def _read_tar(self, tar: str, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        unread = deque(addresses)
        try:
            with self.storage.open(tar) as stream:
                for address in addresses:
                    spans = sorted(_parse(address.locator).items(), key=lambda span: span[1])
                    parts = {ending: _read(stream, offset, size) for ending, (offset, size) in spans}
                    unread.popleft()
                    yield self._raw(address, parts, fields)
        except UNREADABLE as error:
            for address in unread:
                yield Raw(address, container=tar, error=str(error))

    def _scan_tar(self, tar: str, stream: BinaryIO) -> Iterator[Raw]:
        seen: set[str] = set()
        try:
            for sample in _samples(members(stream)):
                key = _key(sample[0].name)
                for member in sample:
                    if member.refused:
                        yield self._error(f"{tar}#{printable(member.name)}@{member.offset}", tar, f"{member.refused}")
                yield from self._scan_sample(tar, stream, [m for m in sample if not m.refused], key in seen)
                seen.add(key)
        except BrokenTar as broken:
            yield self._error(f"{tar}@{broken.offset}", tar, str(broken))

    def _scan_sample(self, tar: str, stream: BinaryIO, sample: Sequence[Member], again: bool) -> Iterator[Raw]:
        sidecars = [m for m in sample if extension(m.name) in SIDECARS and _has_plain_key(m.name)]
        names: set[str] = set()
        for member in sample:
            if extension(member.name) not in IMAGE_EXTENSIONS or not _has_plain_key(member.name):
                continue
            if again or member.name in names:
                uri = f"{tar}#{member.name}@{member.offset}"
                yield self._error(uri, tar, f"a duplicate key: '{_key(member.name)}' came before in this tar")
                continue
            names.add(member.name)
            spans = {"": (member.offset, member.size)}
            spans |= {extension(m.name): (m.offset, m.size) for m in sidecars}
            address = Address(f"{tar}#{member.name}", tar, _format(spans))
            parts = {ending: _read(stream, offset, size) for ending, (offset, size) in spans.items()}
            yield self._raw(address, parts, ("raw", "raw.json"))

    def _raw(self, address: Address, parts: dict[str, bytes], fields: Collection[str]) -> Raw:
        found = {"raw": parts[""]}
        if "raw.json" in fields:
            beside = Beside()
            if ".txt" in parts:
                beside.read_text(parts[".txt"], ".txt")
            if ".json" in parts:
                beside.read_json(parts[".json"], ".json")
            found["raw.json"] = beside.encode(self.kind, address.uri)
        return Raw(address, found, container=address.item)

    def _error(self, uri: str, tar: str, error: str) -> Raw:
        return Raw(Address(uri, tar), container=tar, error=error)


def _key(name: str) -> str:
    """webdataset's key: everything before the first dot of the last part."""
    folder, _, base = name.rpartition("/")
    return posixpath.join(folder, base.partition(".")[0])


def _has_plain_key(name: str) -> bool:
    """Whether the extension is all that follows the key: `1.jpg` is a sample's image, `1.depth.png` another field."""
    return posixpath.splitext(name)[0] == _key(name)


def _samples(found: Iterable[Member]) -> Iterator[list[Member]]:
    """Neighbours with the same key; the last sample before a break is still handed over."""
    sample: list[Member] = []
    try:
        for member in found:
            if sample and _key(member.name) != _key(sample[0].name):
                yield sample
                sample = []
            sample.append(member)
    except BrokenTar:
        if sample:
            yield sample
        raise
    if sample:
        yield sample


def _read(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _format(spans: dict[str, tuple[int, int]]) -> str:
    """A locator: `offset:size` of the image, then `;.txt=offset:size` for each sidecar."""
    return ";".join(f"{ending}={offset}:{size}".removeprefix("=") for ending, (offset, size) in spans.items())


def _first_byte(address: Address) -> int:
    return min(offset for offset, _ in _parse(address.locator).values())


def _parse(locator: str) -> dict[str, tuple[int, int]]:
    spans = {}
    for part in locator.split(";"):
        ending, _, span = part.rpartition("=")
        offset, _, size = span.partition(":")
        spans[ending] = (int(offset), int(size))
    return spans
