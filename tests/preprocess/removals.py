"""A data set to take records out of: two versions, duplicates, an image that no stage can read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from sluice.infra.local import LocalStorage
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import Version
from tests.preprocess.builds import build_here, config_here, write_photo, write_photos

GONE = ("p3.png", "p5.png", "broken.png", "p20.png")
"""One that lies there twice, one like any other, one that is quarantined, and a whole shard."""


@dataclass(frozen=True)
class Removable:
    """The data set `small` in `folder/out`, built from `folder/photos` before and after a photo came in."""

    folder: Path
    config: DatasetConfig
    first: Version
    last: Version

    @property
    def place(self) -> LocalStorage:
        return LocalStorage(Path(self.config.out))

    def keys(self, *names: str) -> list[str]:
        """The keys of photos, as the index has them."""
        rows = [row for part in self.place.root.glob("index/*/*") for row in pq.read_table(part).to_pylist()]
        found = {row["uri"]: row["key"] for row in rows}
        return [found[name] for name in names]


def write_removable(folder: Path) -> Removable:
    """Nine photos, one of them twice, and a broken one, in shards of 4; then a photo in a shard of its own."""
    write_photos(folder / "photos")
    shutil.copy(folder / "photos" / "p3.png", folder / "photos" / "p3-again.png")
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    config = config_here(folder, max_failures=0.5)
    _, first = build_here(config)
    write_photo(folder / "photos", "p20", 20)
    return Removable(folder, config, first, build_here(config)[1])


def copy_of(original: Removable, folder: Path) -> Removable:
    """The same data set, from the same photos, in another place to write to."""
    shutil.copytree(original.config.out, folder / "out")
    config = original.config.model_copy(update={"out": str(folder / "out")})
    return Removable(folder, config, original.first, original.last)
