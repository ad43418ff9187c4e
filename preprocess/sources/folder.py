"""A folder of images, however deep, with captions in `.txt` and `.json` files of the same name."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator

from sluice.infra.storage import Entry
from sluice.preprocess.sources import Address, Item, Raw, SourceConfig
from sluice.preprocess.sources.captions import Beside
from sluice.preprocess.sources.stored import IMAGE_EXTENSIONS, ImageFiles, extension, is_image, item_of

SIDECARS = (".txt", ".json")


class Folder(ImageFiles[SourceConfig]):
    """Every image of a folder or a bucket's prefix.

    `a/cat.jpg` takes its captions from `a/cat.txt` (one a line) and `a/cat.json` (`caption` or `captions`; other plain
    values become metadata). Files that are neither are passed over, and so is whatever starts with a dot.
    """

    kind = "folder"

    def items(self) -> Iterator[Item]:
        empty = True
        for group in _groups(self.listing()):
            sidecars = _sidecars(group)
            for entry in group:
                if is_image(entry.path):
                    empty = False
                    beside = sidecars.get(_stem(entry.path), [])
                    locator = ",".join(posixpath.splitext(e.path)[1] for e in beside)
                    yield item_of(entry, beside, locator)
        if empty:
            raise self.wrong_layout(
                f"there is no image in it (files that end in {', '.join(sorted(IMAGE_EXTENSIONS))}). Is the path right?"
            )

    def load(self, address: Address, fields: Collection[str]) -> Raw:
        found = {"raw": self.storage.read(address.uri)}
        if "raw.json" in fields:
            found["raw.json"] = self._about(address).encode(self.kind, address.uri)
        return Raw(address, found)

    def _about(self, address: Address) -> Beside:
        beside = Beside()
        for ending in filter(None, address.locator.split(",")):
            path = _stem(address.uri) + ending
            read = beside.read_text if ending.lower() == ".txt" else beside.read_json
            read(self.storage.read(path), posixpath.basename(path))
        return beside


def _stem(path: str) -> str:
    return posixpath.splitext(path)[0]


def _sidecars(group: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Texts and JSON by their stems, the texts first: so come their captions."""
    found: dict[str, list[Entry]] = {}
    chosen = [entry for entry in group if extension(entry.path) in SIDECARS]
    for entry in sorted(chosen, key=lambda e: extension(e.path), reverse=True):
        found.setdefault(_stem(entry.path), []).append(entry)
    return found


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Runs of a sorted listing that hold every file with one stem: what starts with the first one's stem and a dot."""
    group: list[Entry] = []
    for entry in entries:
        if group and not entry.path.startswith(_stem(group[0].path) + "."):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
