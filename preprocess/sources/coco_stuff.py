"""COCO-Stuff 2017: images, pixel maps of stuff and things, all captions (Caesar et al., CVPR 2018)."""

from __future__ import annotations

import io
import json
import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from PIL import Image

from sluice.infra.storage import Entry, storage
from sluice.preprocess.perception.decode import bounded, read_header
from sluice.preprocess.record import Array, encode_png
from sluice.preprocess.sources import Address, Item, Raw, SourceConfig
from sluice.preprocess.sources.captions import Beside
from sluice.preprocess.sources.stored import ImageFiles, extension, item_of, trouble


@dataclass(frozen=True)
class Maps:
    """Where one release keeps its pixel maps, and the labels of its "things"."""

    folder: str
    things: frozenset[int]


# Labels count from 0 (person) in stuffthingmaps: things 0 to 90, stuff 91 to 181, 255 unlabelled.
STUFFTHING_LABELS = frozenset(range(91))
# In COCO-Stuff's own numbering 0 is unlabelled, things are 1 to 91 and stuff 92 to 182; the challenge's pixel maps
# write every thing as 183, "other".
PIXELMAP_LABELS = frozenset({*range(1, 92), 183})
STUFFTHING_FOLDERS = (
    "annotations/{split}2017",
    "stuffthingmaps/{split}2017",
    "stuffthingmaps_trainval2017/{split}2017",
    "annotations/stuffthingmaps/{split}2017",
    "annotations/stuffthingmaps_trainval2017/{split}2017",
)
PIXELMAP_FOLDERS = ("annotations/stuff_{split}2017_pixelmaps", "stuff_{split}2017_pixelmaps")
IMAGE_FOLDERS = ("images/{split}2017", "{split}2017")


class CocoStuffConfig(SourceConfig):
    """`split` is the release's own; a record's split is drawn from its key all the same."""

    split: Literal["train", "val"] = "train"


class CocoStuff(ImageFiles[CocoStuffConfig]):
    """Images of one split with every caption; `raw.mask` is the union of the "things", an 8-bit PNG of 0 and 255.

    Expects images/{split}2017/*.jpg, annotations/captions_{split}2017.json and the pixel maps, either stuffthingmaps
    (unpacked into annotations/ or stuffthingmaps/) or annotations/stuff_{split}2017_pixelmaps; the first are preferred.
    """

    kind = "coco_stuff"
    config_type = CocoStuffConfig
    companions = ("raw.mask",)

    def items(self) -> Iterator[Item]:
        captions = self._captions_entry
        found = {_stem(e.path): e for e in self.listing(f"{self._maps.folder}/") if extension(e.path) == ".png"}
        for entry in self.listing(f"{self._images}/"):
            if extension(entry.path) == ".jpg":
                beside = [found[_stem(entry.path)]] if _stem(entry.path) in found else []
                yield item_of(entry, beside, beside[0].path if beside else "", (captions.stamp,))

    def load(self, address: Address, fields: Collection[str]) -> Raw:
        if not address.locator:
            return Raw(address, error=f"there is no pixel map of '{address.uri}' in {self._maps.folder}")
        found = {"raw": self.storage.read(address.uri)}
        if "raw.json" in fields:
            found["raw.json"] = self._about(address)
        if "raw.mask" in fields:
            labels = _read_labels(self.storage.read(address.locator))
            if labels is None:
                return Raw(address, error=f"'{address.locator}' is not a PNG of one label a pixel")
            found["raw.mask"] = things_mask(labels, self._maps.things)
        return Raw(address, found)

    def _about(self, address: Address) -> bytes:
        beside = Beside()
        found = self._all_captions.get(posixpath.basename(address.uri), [])
        beside.add_all(found, posixpath.basename(self._captions_entry.path))
        return beside.encode(self.kind, address.uri, split=self.config.split)

    @property
    def _all_captions(self) -> Mapping[str, list[Any]]:
        entry = self._captions_entry
        try:
            return _captions(self.config.uri, entry.path, entry.stamp)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self.wrong_layout(
                f"{entry.path} is damaged, or not COCO's captions ({type(error).__name__}: {error}); take it from "
                "annotations_trainval2017.zip again"
            ) from error

    @cached_property
    def _images(self) -> str:
        return self._first(IMAGE_FOLDERS, "the images")

    @cached_property
    def _maps(self) -> Maps:
        folder = self._first((*STUFFTHING_FOLDERS, *PIXELMAP_FOLDERS), "the pixel maps")
        return Maps(folder, PIXELMAP_LABELS if folder.endswith("_pixelmaps") else STUFFTHING_LABELS)

    @cached_property
    def _captions_entry(self) -> Entry:
        path = f"annotations/captions_{self.config.split}2017.json"
        entry = self.storage.head(path)
        if entry is None:
            raise self.wrong_layout(f"it has no {path} (from COCO's annotations_trainval2017.zip)")
        if reason := trouble(entry):
            raise self.wrong_layout(f"{reason}; put the file itself there")
        return entry

    def _first(self, patterns: Collection[str], what: str) -> str:
        folders = [pattern.format(split=self.config.split) for pattern in patterns]
        for folder in folders:
            if any(True for _ in self.listing(f"{folder}/")):
                return folder
        raise self.wrong_layout(f"{what} of the split '{self.config.split}' were expected in {' or '.join(folders)}")


def things_mask(labels: Array, things: Collection[int]) -> bytes:
    """A label map `(height, width)` to a PNG: 255 where the label is one of `things`, 0 elsewhere."""
    chosen = np.zeros(256, np.uint8)
    chosen[list(things)] = 255
    return encode_png(chosen[labels])


def _read_labels(data: bytes) -> Array | None:
    """The label of every pixel, uint8; both releases have grey or palette PNGs, whose indices are the labels."""
    try:
        with bounded(read_header(data), data):
            image = Image.open(io.BytesIO(data), formats=["PNG"])
            return np.asarray(image) if image.mode in ("L", "P") else None
    except Exception:  # Pillow raises whatever the damage makes it trip over
        return None


@lru_cache(maxsize=2)
def _captions(uri: str, path: str, stamp: str) -> Mapping[str, list[Any]]:  # noqa: ARG001
    """File name -> captions in the order of their ids; read once a process (90 MB), again when `stamp` changes."""
    table = json.loads(storage(uri).read(path))
    names = {image["id"]: image["file_name"] for image in table["images"]}
    found: dict[str, list[Any]] = {}
    for annotation in sorted(table["annotations"], key=lambda a: a["id"]):
        found.setdefault(names.get(annotation["image_id"], ""), []).append(annotation["caption"])
    return found


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]
