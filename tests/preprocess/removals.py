"""A data set to take records out of: two versions, duplicates, an image that no stage can read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

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


class Watched(LocalStorage):
    """A disk of which every moment is kept, as a kill before the next write or deletion would leave it."""

    moments: ClassVar[list[Path]] = []

    def _keep(self) -> None:
        moment = self.root.with_name(f"{self.root.name}-{len(self.moments)}")
        shutil.copytree(self.root, moment, copy_function=os.link)  # files are replaced, never written into
        self.moments.append(moment)

    def write(self, path: str, data: bytes) -> None:
        self._keep()
        super().write(path, data)

    def upload(self, path: str, local: Path) -> None:
        self._keep()
        super().upload(path, local)

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._keep()
            super().delete([path])


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def moments_lead_to_the_same_end(
    root: Path, work: Callable[[LocalStorage], Any], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Whether work that is killed at every `step`-th moment, and done again, ends as it would have."""
    monkeypatch.setattr(Watched, "moments", [])
    work(Watched(root))
    wanted = contents(root)
    work(LocalStorage(root))
    assert contents(root) == wanted, "a second time changes nothing"
    assert len(Watched.moments) > 20
    for moment in Watched.moments[::step]:
        work(LocalStorage(moment))
        assert contents(moment) == wanted, f"killed at {moment}"
