"""Which version and which plan is the newer one, whatever was written last."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Kept, Wish
from sluice.flows.operate.stored import data_sets
from sluice.infra.local import LocalStorage
from sluice.preprocess.version.manifest import Version
from sluice.preprocess.version.withdraw import withdraw
from tests.flows.operate.conftest import DAY, knob
from tests.preprocess.builds import build_here, config_here, write_photos


def test_a_withdrawal_makes_no_version_newer(two: tuple[Path, Version, Version]) -> None:
    """Though it writes the manifests of all that are older after that of the new one."""
    folder, first, second = two
    place = LocalStorage(folder / "out")
    key = hashlib.sha256((folder / "photos" / "p2.png").read_bytes()).hexdigest()[:16]
    (made,) = withdraw(place, [key]).made
    for file in filter(Path.is_file, (folder / "out").rglob("*")):
        os.utime(file, (file.stat().st_mtime - 2 * DAY,) * 2)
    (kept, *_) = GarbageCollection(Wish(newest=2), DAY, False)(place, ())
    assert isinstance(kept, Kept)
    assert [stored.id for stored in kept.data.versions] == [first.id, second.id, made.id]
    assert [stored.id for stored in kept.going] == [first.id]


def test_a_withdrawal_makes_no_plan_newer(tmp_path: Path) -> None:
    """Though it writes the plans that had the record, and those alone."""
    photos = write_photos(tmp_path / "photos", 8)
    first, _ = build_here(config_here(tmp_path))
    key = hashlib.sha256((photos / "p2.png").read_bytes()).hexdigest()[:16]
    (photos / "p2.png").unlink()
    last, _ = build_here(config_here(tmp_path, shard_size=3), prune=True)
    place = LocalStorage(tmp_path / "out")
    withdraw(place, [key])
    (data,) = data_sets(place)
    assert [sum(shard.records for shard in plan.shards) for plan in data.plans] == [7, 7]
    assert data.plans[-1] == last.plan
    assert data.plans[0] != first.plan


def test_a_version_that_latest_never_pointed_to_is_older_than_one_that_it_did(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 8)
    _, whole = build_here(config_here(tmp_path))
    _, limited = build_here(config_here(tmp_path, stages=knob(50)), limit=1)
    place = LocalStorage(tmp_path / "out")
    (kept, *_) = GarbageCollection(Wish(), DAY, False)(place, ())
    assert isinstance(kept, Kept)
    assert [stored.id for stored in kept.data.versions] == [limited.id, whole.id]
