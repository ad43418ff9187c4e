"""Garbage collection beside a build, killed in the middle, and of what is claimed on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest

from sluice.flows.operate import gc
from sluice.flows.operate.activity import Activity
from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Wish
from sluice.infra.commits import CommitLog
from sluice.infra.local import LocalStorage
from sluice.preprocess.version.card import CARD
from sluice.preprocess.version.manifest import Version, read_version, version_ids
from tests.flows.operate.collected import ONE, assert_consistent, collect, files, of_stage, steps
from tests.flows.operate.conftest import DAY
from tests.preprocess.builds import write_photo


@pytest.mark.parametrize("aged", [False, True], ids=["by what it claims", "by what it has made"])
def test_a_build_beside_it_loses_nothing(two: tuple[Path, Version, Version], aged: bool) -> None:
    """It goes back to the old knob with a new image, so that most of what it names was made by a version that goes.

    `aged`: it has run for so long that its claims are older than the grace period.
    """
    folder, *_ = two
    place = LocalStorage(folder / "out")
    write_photo(folder / "photos", "new", 77, "a new one")
    done = []
    for step in steps(folder, 100):
        done.append(step)
        if aged and step != "planned":
            for claim in (folder / "out" / "stages").rglob("in-use"):
                os.utime(claim, (claim.stat().st_mtime - 2 * DAY,) * 2)
        collect(place)
        assert_consistent(place)
    assert done[:-1] == ["planned", "image", "canny", "depth", "merged"], "only the new shard has run"
    assert read_version(place, "small").id == done[-1]
    assert read_version(place, "small").manifest["counts"]["records"] == 9


class Killed(Exception):
    """The process is dead."""


@pytest.mark.parametrize("last", range(0, 14, 2))
def test_a_kill_in_the_middle_leaves_what_readers_trust_whole(
    two: tuple[Path, Version, Version], last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, second = two
    place, deleted = LocalStorage(folder / "out"), []
    monkeypatch.setattr(gc, "BATCH", 1)

    class Deadly(LocalStorage):
        def delete(self, paths: Iterable[str]) -> None:
            if len(deleted) == last:
                raise Killed
            deleted.append(list(paths))
            super().delete(deleted[-1])

    with pytest.raises(Killed):
        collect(Deadly(folder / "out"))
    assert_consistent(place)
    collect(place)
    assert_consistent(place)
    assert version_ids(place, "small") == [second.id]
    assert len(of_stage(files(folder / "out"), "canny")) == 2 * 3
    assert collect(place) == []


def test_what_is_claimed_on_the_way_stays(two: tuple[Path, Version, Version], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, first, _ = two
    monkeypatch.setattr(gc, "BATCH", 1)
    (canny,) = (stage for stage in first.manifest["stages"] if stage["name"] == "canny")
    log = CommitLog(LocalStorage(folder / "out"), f"stages/canny/{canny['fingerprint']}")

    class Beside(LocalStorage):
        """A build begins when the first of its commits has gone."""

        def delete(self, paths: Iterable[str]) -> None:
            gone = list(paths)
            super().delete(gone)
            if gone[0].startswith(log.prefix):
                assert len(log.all()) == 1

    told = list(GarbageCollection(ONE, DAY, True)(Beside(folder / "out"), ()))
    assert any("somebody uses it since a moment ago" in str(each) for each in told)
    assert len(log.all()) == 1
    assert_consistent(log.storage)


def test_a_killed_merge_that_a_build_goes_on_with_meanwhile_stays(two: tuple[Path, Version, Version]) -> None:
    """All its stages' outputs are committed, so that nothing else is young."""
    folder, first, _ = two
    place = LocalStorage(folder / "out")
    place.delete([f"{first.prefix}/manifest.json"])
    told = GarbageCollection(Wish(), DAY, True)(place, ())
    assert any(isinstance(each, Activity) and not each.at_work for each in told)
    build = steps(folder, 100)
    assert list(islice(build, 2)) == ["planned", "merged"]
    assert list(told) == []
    assert next(build) == first.id
    assert_consistent(place)


def test_a_killed_merge_is_left_from_when_a_build_goes_on_with_it(
    two: tuple[Path, Version, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first, _ = two
    monkeypatch.setattr(gc, "BATCH", 1)
    place = LocalStorage(folder / "out")
    place.delete([f"{first.prefix}/manifest.json"])
    merged = files(folder / "out" / first.prefix)

    class Beside(LocalStorage):
        """The build begins when one file of its merge has gone."""

        def delete(self, paths: Iterable[str]) -> None:
            gone = list(paths)
            super().delete(gone)
            if gone[0].startswith(first.prefix):
                self.write(f"{first.prefix}/{CARD}", b"the card")

    told = list(GarbageCollection(Wish(), DAY, True)(Beside(folder / "out"), ()))
    assert any("somebody uses it since a moment ago" in str(each) for each in told)
    assert len(merged - files(folder / "out" / first.prefix)) <= 1
