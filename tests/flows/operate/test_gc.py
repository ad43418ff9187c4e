"""That garbage collection takes what nothing kept needs, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from sluice.flows.operate.activity import Activity
from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.gc import GarbageCollection, clock_of
from sluice.flows.operate.keeping import Kept, Wish
from sluice.infra.commits import CLAIM
from sluice.infra.local import LocalStorage
from sluice.infra.storage import Entry, PermissionDenied
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version, version_ids
from sluice.preprocess.version.withdraw import withdraw
from tests.flows.command_line import Sluice
from tests.flows.operate.collected import ONE, assert_consistent, begun, collect, files, left, of_stage
from tests.flows.operate.conftest import DAY, age, knob
from tests.preprocess.builds import build_here, config_here, run_units, write_photos


def test_what_only_an_old_version_needs_goes_and_its_build_makes_it_again(two: tuple[Path, Version, Version]) -> None:
    folder, first, second = two
    place = LocalStorage(folder / "out")
    before = files(folder / "out")
    told = collect(place, delete=False)
    assert files(folder / "out") == before
    went = collect(place)
    assert went == told
    gone = before - files(folder / "out")
    assert gone == {path for each in went for path in (*each.names, *each.files)}
    assert sum(each.count for each in went) == len(gone)
    assert {path.split("/")[0] for path in gone} == {"stages", "datasets"}
    assert len(of_stage(gone, "canny")) == 2 * 3
    assert not of_stage(gone, "image") | of_stage(gone, "depth")
    assert version_ids(place, "small") == [second.id]
    assert_consistent(place)
    assert collect(place) == []
    _, again = build_here(config_here(folder, stages=knob(100)))
    assert again.id == first.id
    assert_consistent(place)
    assert files(folder / "out") >= before


def test_every_version_is_kept_unless_it_is_said_otherwise(two: tuple[Path, Version, Version]) -> None:
    folder, first, _ = two
    place = LocalStorage(folder / "out")
    assert collect(place, Wish()) == []
    assert collect(place, Wish(since=0)) == []
    place.write("datasets/small/aliases/stable.json", json.dumps({"version": first.id}).encode())
    assert collect(place) == []
    place.delete(["datasets/small/aliases/stable.json"])
    (kept, *_) = GarbageCollection(ONE, DAY, False)(place, ())
    assert isinstance(kept, Kept)
    assert [stored.id for stored in kept.going] == [first.id]


def test_unfinished_work_goes_after_the_grace_period(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 8)
    place = LocalStorage(tmp_path / "out")
    build_here(config_here(tmp_path))
    age(tmp_path / "out")
    whole = files(tmp_path / "out")
    build = begun(tmp_path, 50)
    run_units(build, list(left(build))[:1])
    chunks = next(iter(of_stage(whole, "depth"))).rpartition("/")[0] + "/chunks/" + build.plan.shards[0].id
    place.write(f"{chunks}/a-b.json", b"{}")
    assert collect(place, Wish()) == []
    age(tmp_path / "out")
    (unit, chunk) = collect(place, Wish())
    assert unit.what.startswith("canny")
    assert unit.count == 3
    assert list(chunk.files) == [f"{chunks}/a-b.json"]
    assert {path.rpartition("/")[2] for path in files(tmp_path / "out") - whole} == {CLAIM}
    assert files(tmp_path / "out") > whole
    assert_consistent(place)


def test_a_tar_that_neither_commit_nor_version_names_goes(two: tuple[Path, Version, Version]) -> None:
    folder, _, second = two
    place = LocalStorage(folder / "out")
    collect(place)
    tar = sorted((folder / "out" / "stages" / "depth").rglob("*.tar"))[0]
    for suffix in (".tar", ".parquet"):
        stray = tar.with_name(f"{tar.stem[:16]}-{'0' * 16}{suffix}")
        stray.write_bytes(b"of another driver")
    age(folder / "out")
    (doomed,) = collect(place)
    assert doomed.what.startswith("depth ")
    assert doomed.count == 2
    assert verify(place, second) == []


@pytest.fixture
def retried(tmp_path: Path) -> tuple[Path, Version, Version]:
    """A version with an image that failed, and that of the retry: the same shard, with another tar."""
    write_photos(tmp_path / "photos", 4)
    (tmp_path / "flag").touch()
    moody = {"digits": "0123456789abcdef"[::2], "flag": str(tmp_path / "flag"), "journal": str(tmp_path / "journal")}
    stages = {"image": {"size": 64, "min_side": 0}, "moody": moody}
    config = config_here(tmp_path, stages=stages, max_failures=1)
    _, first = build_here(config)
    (tmp_path / "flag").unlink()
    _, second = build_here(config, retry=True)
    age(tmp_path / "out")
    manifest = tmp_path / "out" / first.prefix / "manifest.json"
    os.utime(manifest, (manifest.stat().st_mtime - 1,) * 2)
    return tmp_path, first, second


def test_both_tars_of_a_shard_that_was_tried_again_stay_while_versions_name_them(
    retried: tuple[Path, Version, Version],
) -> None:
    folder, first, second = retried
    place = LocalStorage(folder / "out")
    assert first.id != second.id
    assert collect(place, Wish()) == []
    before = files(folder / "out")
    collect(place)
    gone = before - files(folder / "out")
    assert sorted(Path(path).suffix for path in of_stage(gone, "moody")) == [".parquet", ".tar"]
    assert_consistent(place)
    assert version_ids(place, "small") == [second.id]


def test_versions_that_lost_records_stay_whole(two: tuple[Path, Version, Version]) -> None:
    folder, *_ = two
    place = LocalStorage(folder / "out")
    key = hashlib.sha256((folder / "photos" / "p2.png").read_bytes()).hexdigest()[:16]
    (made,) = withdraw(place, [key]).made
    age(folder / "out")
    before = len(version_ids(place, "small"))
    assert before == 3
    assert collect(place, Wish()) == []
    collect(place, Wish(since=time.time()))
    assert version_ids(place, "small") == [made.id]
    assert_consistent(place)


def test_what_a_killed_merge_left_goes(two: tuple[Path, Version, Version]) -> None:
    folder, first, second = two
    place = LocalStorage(folder / "out")
    place.delete([f"{first.prefix}/manifest.json"])
    young = list(GarbageCollection(Wish(), DAY, False)(place, ()))
    assert next(each.what for each in young if isinstance(each, Doomed)) == f"unfinished version small {first.id}"
    merged = folder / "out" / first.prefix / "small-00000.parquet"
    os.utime(merged)
    young = list(GarbageCollection(Wish(), DAY, False)(place, ()))
    assert not [each for each in young if isinstance(each, Doomed)]
    assert [each.at_work for each in young if isinstance(each, Activity)] == [{"small"}]
    assert verify(place, second) == []


def test_each_try_of_who_may_not_delete_leaves_the_same_small_file(two: tuple[Path, Version, Version]) -> None:
    folder, *_ = two
    before = files(folder / "out")

    class Denied(LocalStorage):
        def delete(self, paths: Iterable[str]) -> None:
            raise PermissionDenied(", ".join(paths))

    for _ in range(2):
        with pytest.raises(PermissionDenied, match="gc-clock"):
            collect(Denied(folder / "out"))
        assert files(folder / "out") == before | {"gc-clock"}
    collect(LocalStorage(folder / "out"))
    assert "gc-clock" not in files(folder / "out")


def test_the_clock_is_read_beside_another_collection(tmp_path: Path) -> None:
    taken = []

    class Beside(LocalStorage):
        """The other one has read the clock, and deletes the file."""

        def list(self, prefix: str = "") -> Iterator[Entry]:
            if not taken:
                taken.append(prefix)
                self.delete([prefix])
            return super().list(prefix)

    assert abs(clock_of(Beside(tmp_path)) - time.time()) < 60
    assert taken == ["gc-clock"]
    assert files(tmp_path) == set()


def test_a_dry_run_says_how_a_deletion_must_be_asked_for(two: tuple[Path, Version, Version], sluice: Sluice) -> None:
    folder, *_ = two
    assert "deleted: the same with --delete does it." in sluice("gc", folder / "out", "--keep", "1").out
    said = sluice("gc", folder / "out", "--keep", "1", "--grace", "59m")
    assert "deleted: --delete takes a --grace of 1h or more." in said.out


def test_what_cannot_be_meant_is_refused(tmp_path: Path, sluice: Sluice) -> None:
    refused = {
        "give one of them": ["--keep", "1", "--keep-since", "2026-01-01"],
        "--grace soon: give a number": ["--grace", "soon"],
        "--grace 59m: with --delete give at least 1h": ["--grace", "59m", "--delete"],
        "--keep-since yesterday: give a date": ["--keep-since", "yesterday"],
        "holds no data set": [],
    }
    for words, given in refused.items():
        said = sluice("gc", tmp_path, *given)
        assert (said.code, words in said.error) == (2, True), said
    assert list(chain(tmp_path.iterdir())) == []
