"""That garbage collection takes what nothing kept needs, and nothing else: beside builds, killed, repeated."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from sluice.flows.operate import gc
from sluice.flows.operate.activity import Activity
from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Kept, Wish
from sluice.infra.commits import CLAIM, CommitLog
from sluice.infra.local import LocalStorage
from sluice.infra.storage import Storage, storage
from sluice.preprocess.planning.build import Build, pending, prepare, read_commits
from sluice.preprocess.planning.plan import store_plan
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.manifest import Version, make_manifest, read_version, store_version, version_ids
from sluice.preprocess.version.withdraw import withdraw
from tests.faults.servers import S3Server
from tests.flows.operate.conftest import DAY, Sluice, age, knob
from tests.preprocess.builds import (
    build_here,
    config_here,
    export_here,
    run_scan,
    run_units,
    write_photo,
    write_photos,
)

ONE = Wish(newest=1)


def collect(place: Storage, wish: Wish = ONE, delete: bool = True, grace: float = DAY) -> list[Doomed]:
    """What goes, or went."""
    return [each for each in GarbageCollection(wish, grace, delete)(place, ()) if isinstance(each, Doomed)]


def files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def of_stage(paths: Iterable[str], stage: str) -> set[str]:
    return {path for path in paths if path.startswith(f"stages/{stage}/")}


def assert_consistent(place: Storage) -> None:
    """Whatever a reader trusts is whole: every commit has its files, every version verifies."""
    there = {entry.path for entry in place.list()}
    for path in there:
        if path.startswith("stages/") and path.endswith(".json"):
            commit = json.loads(place.read(path))
            folder = path.rpartition("/")[0]
            assert {f"{folder}/{commit['file']}", f"{folder}/{commit['sidecar']}"} <= there
    for id_ in version_ids(place, "small"):
        assert verify(place, read_version(place, "small", id_)) == []


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Version, Version]:
    """A folder whose `out` has two versions that differ in a knob, two days old."""
    write_photos(tmp_path / "photos", 8)
    _, first = build_here(config_here(tmp_path, stages=knob(100)))
    _, second = build_here(config_here(tmp_path, stages=knob(50)))
    age(tmp_path / "out")
    manifest = tmp_path / "out" / first.prefix / "manifest.json"
    os.utime(manifest, (manifest.stat().st_mtime - 1,) * 2)
    return tmp_path, first, second


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


def begun(folder: Path, low: float) -> Build:
    """A build that is planned; nothing of it has run."""
    build = prepare(config_here(folder, stages=knob(low)), run_scan)
    store_plan(build.storage, build.plan_prefix, build.layout)
    return build


def left(build: Build) -> Iterator[tuple[object, object]]:
    return pending(build, read_commits(build), build.plan.shards, False)


def steps(folder: Path, low: float) -> Iterator[str]:
    """A build of a knob, step by step, as `build_here` takes them; yields the names of units, at last the version."""
    build = begun(folder, low)
    units = list(left(build))
    yield "planned"
    for unit in units:
        run_units(build, [unit])
        yield f"{unit[0].name}"
    version, made = make_manifest(build, read_commits(build), build.plan.shards)
    made["README.md"] = dataset_card(version).encode()
    made["export.json"] = export_here(build, version, made["shards.parquet"])
    yield "merged"
    store_version(build.storage, version, made)
    yield version.id


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


@pytest.mark.parametrize("vendor", ["moto", "rclone"])
def test_the_same_on_s3(
    tmp_path: Path, vendor: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, sluice: Sluice
) -> None:
    server: S3Server = request.getfixturevalue(f"{vendor}_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    out = f"s3://{server.new_bucket()}/team"
    write_photos(tmp_path / "photos", 4)
    for low in (100, 50):
        build_here(config_here(tmp_path, stages=knob(low), out=out))
    place = storage(out)
    assert collect(place) == [], "all is young"
    aliases_only = ("gc", out, "--keep-since", "2999-01-01", "--grace", "0s", "--delete")  # both are of one second
    said = sluice(*aliases_only)
    assert said.code == 0, said
    assert len(version_ids(place, "small")) == 1
    assert_consistent(place)
    assert len([path for path in of_stage((e.path for e in place.list()), "canny") if path.endswith(".tar")]) == 1
    assert "Nothing is to go." in sluice(*aliases_only).out
    told = sluice("status", out).out
    assert told.splitlines()[0] == "data set small: 1 version, 1 planned shard"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    if vendor == "rclone":  # it checks signatures
        for command in (["status", out], ["gc", out, "--keep", "1"]):
            denied = sluice(*command)
            assert denied.code == 2
            assert "AWS_" in denied.error or "credentials" in denied.error


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    """Two trainings with three checkpoints each, and a state that a crash left without a note: one is done."""
    for name in ("done", "stopped"):
        folder = tmp_path / "networks" / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "recipe.json").write_text(json.dumps({"method": "cnc-local", "steps": 30}))
        for step in (10, 20, 30):
            (folder / "checkpoints" / f"{step:09}.pt").write_bytes(b"state")
            (folder / "checkpoints" / f"{step:09}.json").write_text(json.dumps({"training": {"data 0": "small abc"}}))
        (folder / "checkpoints" / "000000040.pt").write_bytes(b"half")
    (tmp_path / "networks" / "done" / "model").mkdir()
    (tmp_path / "networks" / "done" / "model" / "README.md").touch()
    age(tmp_path / "networks")
    return tmp_path / "networks"


def test_of_a_finished_training_the_last_checkpoint_stays(networks: Path, sluice: Sluice) -> None:
    def states(name: str) -> list[int]:
        return sorted(int(path.stem) for path in (networks / name / "checkpoints").glob("*.pt"))

    dry = sluice("gc", "--trained", networks).out
    assert "Nothing was deleted" in dry
    assert states("done") == [10, 20, 30, 40]
    assert sluice("gc", "--trained", networks, "--delete").code == 0
    assert states("done") == [30]
    assert states("stopped") == [10, 20, 30]
    assert "Nothing is to go." in sluice("gc", "--trained", networks, "--delete").out


def test_a_version_that_a_training_goes_on_with_is_kept(two: tuple[Path, Version, Version], networks: Path) -> None:
    folder, first, _ = two
    place = LocalStorage(folder / "out")
    for name in ("done", "stopped"):
        origin = {"identity": {"data 0": f"small {first.id}"}}
        (networks / name / "training.json").write_text(json.dumps(origin))
    told = list(GarbageCollection(ONE, DAY, False)(place, [networks / "stopped"]))
    kept = next(each for each in told if isinstance(each, Kept))
    assert kept.reasons[first.id] == f"{networks / 'stopped'} is trained on it"
    told = list(GarbageCollection(ONE, DAY, False)(place, [networks / "done"]))
    assert [stored.id for stored in next(each for each in told if isinstance(each, Kept)).going] == [first.id]


def test_what_cannot_be_meant_is_refused(tmp_path: Path, sluice: Sluice) -> None:
    refused = {
        "give one of them": ["--keep", "1", "--keep-since", "2026-01-01"],
        "--grace soon: give a number": ["--grace", "soon"],
        "--keep-since yesterday: give a date": ["--keep-since", "yesterday"],
        "holds no data set": [],
    }
    for words, given in refused.items():
        said = sluice("gc", tmp_path, *given)
        assert (said.code, words in said.error) == (2, True), said
    assert list(chain(tmp_path.iterdir())) == []
