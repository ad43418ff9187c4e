"""Withdrawn records are nowhere any more, whatever moment the withdrawal was killed at, and versions stay readable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.infra import commits
from sluice.infra.local import LocalStorage
from sluice.preprocess.planning.build import pending, prepare, read_commits
from sluice.preprocess.planning.removed import bury, removed_keys
from sluice.preprocess.shards import read_shard, write_shard
from sluice.preprocess.verify.absent import find_keys
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.export import export_version
from sluice.preprocess.version.manifest import read_version
from sluice.preprocess.version.withdraw import Withdrawn, withdraw
from tests.preprocess.builds import CHEAP_STAGES, build_here, config_here, run_scan, write_photo, write_photos
from tests.preprocess.removals import GONE, Removable, moments_lead_to_the_same_end

LOST = "0123456789abcdef"


def take(made: Removable, keys: list[str]) -> Withdrawn:
    bury(made.place, removed_keys(keys))
    return withdraw(made.place, keys)


@pytest.fixture
def exported(removable: Removable) -> Removable:
    """With an export, pages, a note of what ended a build and a half-written version under OUT too."""
    root = removable.place.root
    export_version(removable.place, removable.first, LocalStorage(root / "given" / "away"), lambda _: None)
    key = removable.keys("p3.png")[0]
    for folder in (removable.first.prefix, "datasets/small/run", "elsewhere"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / f"page-{key}.html").write_text(f"<article id={key}>")
    (root / "datasets/small/run/ended.json").write_text(f"{key} could not be read")
    (root / "elsewhere" / "of-another.html").write_text("<article id=0123456789abcdef>")
    half = root / "datasets" / "small" / "0123456789ab"
    half.mkdir()
    (half / "small-00000.tar").write_bytes((root / removable.first.prefix / "small-00000.tar").read_bytes())
    return removable


def test_nothing_holds_them_and_every_version_is_whole(exported: Removable) -> None:
    keys = exported.keys(*GONE)
    assert len(list(find_keys(exported.place, keys))) > 30
    withdrawn = take(exported, keys)
    assert [str(problem) for problem in find_keys(exported.place, keys)] == []
    three = (exported.first, exported.last, withdrawn.made[0])
    first, last, new = (read_version(exported.place, "small", version.id) for version in three)
    for version, records in ((first, 7), (last, 7), (new, 7)):
        assert verify(exported.place, version) == []
        assert version.manifest["counts"]["records"] == records
    assert [len(v.manifest.get("withdrawn", {"keys": []})["keys"]) for v in (first, last, new)] == [3, 4, 0]
    assert b"Images withdrawn since this version was made: 3." in exported.place.read(f"{first.prefix}/README.md")
    assert {v.id for v in withdrawn.cut} == {first.id, last.id}
    assert withdrawn.exports == ["given/away/small-00001.parquet", "given/away/small-00002.parquet"]
    assert (exported.place.root / "elsewhere" / "of-another.html").exists()
    assert len(withdrawn.deleted) == 5
    assert read_version(exported.place, "small").id == new.id

    build = prepare(exported.config, run_scan)
    assert list(pending(build, read_commits(build), build.plan.shards, retry=False)) == []
    assert build_here(exported.config)[1].id == new.id, "the source still has them, and no build brings them back"
    assert list(find_keys(exported.place, keys)) == []


def test_every_data_set_of_the_place_lets_go_of_them(removable: Removable) -> None:
    """One in other shards, and one that shares every stage output but canny's."""
    others = [{"name": "threes", "shard_size": 3}, {"name": "thin", "stages": {**CHEAP_STAGES, "canny": {"low": 50}}}]
    configs = [removable.config.model_copy(update=other) for other in others]
    before = {config.name: build_here(config)[1] for config in configs} | {"small": removable.last}
    withdrawn = take(removable, keys := removable.keys(*GONE))
    assert list(find_keys(removable.place, keys)) == []
    assert {version.dataset for version in withdrawn.made} == {"small", "threes", "thin"}
    for config in [removable.config, *configs]:
        old = read_version(removable.place, config.name, before[config.name].id)
        new = read_version(removable.place, config.name)
        assert new.id != old.id
        assert verify(removable.place, old) == verify(removable.place, new) == []
        assert build_here(config)[1].id == new.id


def test_what_weeks_of_work_leave_behind_holds_nothing_either(
    removable: Removable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits rolled up, chunks of a unit that was cut off, a tar that a retry replaced, a shard whose plan is lost."""
    monkeypatch.setattr(commits, "ROLL_UP", 2)
    read_commits(prepare(removable.config, run_scan))
    keys = removable.keys(*GONE)
    (folder,) = removable.place.root.glob("stages/image/*")
    tar = next(tar for tar in folder.glob("*.tar") if keys[1] in dict(read_shard(tar.open("rb"))))
    records = [record for record in read_shard(tar.open("rb")) if record[0] == keys[1]]
    shard = tar.name[:16]
    for place in (folder, folder / "chunks" / shard):
        place.mkdir(parents=True, exist_ok=True)
        written = write_shard(removable.folder / "early.tar", records)
        (removable.folder / "early.tar").rename(place / f"{shard}-{written.digest[:16]}.tar")
    for file in (tar, tar.with_suffix(".parquet"), folder / f"{shard}.json"):
        shutil.copy(file, folder / file.name.replace(shard, LOST))
    assert len(list(folder.glob("roll-up-*"))) == 2

    take(removable, keys)
    assert list(find_keys(removable.place, keys)) == []
    assert not list(folder.glob(f"{LOST}*"))
    alive = {shard for _, shard, _ in read_version(removable.place, "small").manifest["shards"]}
    assert read_commits(prepare(removable.config, run_scan))["image"].keys() >= alive


def test_an_export_says_again_what_its_shards_are(exported: Removable, tmp_path: Path) -> None:
    take(exported, exported.keys(*GONE))
    given = LocalStorage(exported.place.root / "given" / "away")
    first = read_version(exported.place, "small", exported.first.id)
    fresh = LocalStorage(tmp_path / "fresh")
    export_version(exported.place, first, fresh, lambda _: None)
    for name in ("export.json", *(f"small-0000{n}.{kind}" for n in range(3) for kind in ("tar", "parquet"))):
        assert given.read(name) == fresh.read(name), name


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_it_may_be_killed_and_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Of two versions and an export, in shards of 2; one shard goes as a whole."""
    config = config_here(tmp_path, shard_size=2, stages={"image": {"size": 32, "min_side": 0}})
    write_photos(tmp_path / "photos", 2)
    build, first = build_here(config)
    export_version(build.storage, first, LocalStorage(tmp_path / "out" / "away"), lambda _: None)
    write_photo(tmp_path / "photos", "p20", 20)
    _, last = build_here(config)
    keys = Removable(tmp_path, config, first, last).keys("p1.png", "p20.png")
    bury(build.storage, removed_keys(keys))
    moments_lead_to_the_same_end(tmp_path / "out", lambda place: withdraw(place, keys), monkeypatch, step)


@pytest.mark.slow
def test_a_larger_one_may_be_killed_at_any_moment(exported: Removable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several stages, duplicates, quarantine, pages and a half-written version."""
    keys = exported.keys(*GONE)
    bury(exported.place, removed_keys(keys))
    moments_lead_to_the_same_end(exported.place.root, lambda place: withdraw(place, keys), monkeypatch, 1)
