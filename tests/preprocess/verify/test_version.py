"""Every way a version can be wrong is told apart, and the remedy mends it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.infra.local import LocalStorage
from sluice.preprocess.planning.build import Build, read_commits
from sluice.preprocess.record import FIELDS
from sluice.preprocess.shards import read_shard, write_shard
from sluice.preprocess.verify.problems import Problem
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version, make_manifest, read_version, store_version
from sluice.preprocess.version.reading import StageOutput, shard_outputs
from tests.preprocess.builds import BuiltVersion, build_here, config_here, write_photo, write_photos

Built = Callable[..., BuiltVersion]
Records = dict[str, dict[str, bytes]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> BuiltVersion:
    folder = tmp_path_factory.mktemp("original")
    write_photos(folder / "photos")
    return build_here(config_here(folder))


@pytest.fixture
def whole(original: BuiltVersion, tmp_path: Path) -> BuiltVersion:
    """A copy of a version in which nothing is wrong yet."""
    build, version = original
    shutil.copytree(build.storage.uri, tmp_path / "copy")
    return replace(build, storage=LocalStorage(tmp_path / "copy")), version


def outputs_of(build: Build, version: Version, stage: str) -> list[StageOutput]:
    """A stage's outputs, in the order of shards."""
    return [o for outputs in shard_outputs(build.storage, version) for o in outputs if o.stage == stage]


def on_disk(build: Build, path: str) -> Path:
    return Path(build.storage.uri) / path


def check(build: Build, version: Version) -> list[Problem]:
    return verify(build.storage, read_version(build.storage, version.dataset, version.id), workers=2)


def remake(build: Build, output: StageOutput, change: Callable[[Records], None]) -> Version:
    """A version whose digests agree with a tar that was changed by hand."""
    tar = on_disk(build, output.file)
    with tar.open("rb") as stream:
        records = dict(read_shard(stream))
    change(records)
    written = write_shard(tar, sorted(records.items()))
    commit = on_disk(build, output.commit)
    said = {"digest": written.digest, "size": written.size}  # a version whose counts do not agree is not made
    commit.write_text(json.dumps({**json.loads(commit.read_text()), **said}))
    version, files = make_manifest(build, read_commits(build), build.plan.shards)
    store_version(build.storage, version, files)
    return version


def test_a_whole_version_has_no_problem_and_progress_counts_its_shards(whole: BuiltVersion) -> None:
    build, version = whole
    seen: list[tuple[int, int]] = []
    assert verify(build.storage, version, progress=lambda done, shards: seen.append((done, shards))) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_quarantined_records_are_no_problem(built: Built, tmp_path: Path) -> None:
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    write_photo(tmp_path / "photos", "small", 50, side=32)
    build, version = built(stages={"image": {"size": 64, "min_side": 48}, "canny": {}})
    assert version.manifest["counts"]["quarantined"] == version.manifest["counts"]["filtered"] == 1
    assert check(build, version) == []


def test_an_old_version_is_still_whole_after_new_images_and_prune(built: Built, tmp_path: Path) -> None:
    _, old = built()
    (tmp_path / "photos" / "p3.png").unlink()
    write_photo(tmp_path / "photos", "new", 77, "a new one")
    build, new = built(prune=True)
    assert old.id != new.id
    assert check(build, old) == check(build, new) == []


def test_a_deleted_tar_and_a_truncated_one(built: Built) -> None:
    build, version = built()
    gone, cut, _ = outputs_of(build, version, "canny")
    on_disk(build, gone.file).unlink()
    tar = on_disk(build, cut.file)
    tar.write_bytes(tar.read_bytes()[:-700])
    first, second = check(build, version)
    assert first.path == gone.file
    assert "is missing" in first.what
    assert second.path == cut.file
    assert f"is cut short: {cut.bytes - 700:,} bytes, where {cut.bytes:,} were written" in second.what
    assert built()[1] == version, "the same build makes them anew"
    assert check(build, version) == []


def test_one_flipped_byte_is_found_and_its_record_named(built: Built) -> None:
    build, version = built()
    output = outputs_of(build, version, "canny")[1]
    tar = on_disk(build, output.file)
    data = bytearray(tar.read_bytes())
    data[512 + 60] ^= 1  # within the first record's PNG
    tar.write_bytes(data)
    key = bytes(data[:16]).decode()
    (problem,) = check(build, version)
    assert problem.path == output.file
    assert f"where {output.digest} was written" in problem.what
    assert f"record {key}: canny.png: does not decode" in problem.what
    assert "delete it and run the same build again" in problem.remedy
    tar.unlink()
    assert built()[1] == version
    assert check(build, version) == []


def test_two_tars_that_changed_places_are_told_by_name(whole: BuiltVersion) -> None:
    build, version = whole
    one, two, _ = outputs_of(build, version, "depth")
    first, second = on_disk(build, one.file), on_disk(build, two.file)
    bytes_of_one = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(bytes_of_one)
    problems = check(build, version)
    assert [problem.path for problem in problems] == [one.file, two.file]
    assert f"these are the bytes of {two.file}" in problems[0].what
    assert f"these are the bytes of {one.file}" in problems[1].what


def test_a_missing_commit(built: Built) -> None:
    build, version = built()
    output = outputs_of(build, version, "image")[0]
    on_disk(build, output.commit).unlink()
    (problem,) = check(build, version)
    assert problem.path == output.commit
    assert "is missing" in problem.what
    assert built()[1] == version
    assert check(build, version) == []


def test_a_commit_that_says_something_else(whole: BuiltVersion) -> None:
    build, version = whole
    output = outputs_of(build, version, "image")[0]
    commit = on_disk(build, output.commit)
    said = json.loads(commit.read_text())
    commit.write_text(json.dumps({**said, "records": 99}))
    assert [str(p) for p in check(build, version)] == [
        f"{output.commit}: says records 99, where the version says {output.records}; "
        "delete it and run the same build again, which makes it anew"
    ]
    newer = f"{output.shard}-0123456789abcdef.tar"
    commit.write_text(json.dumps({**said, "file": newer}))
    assert "which is not there whole" in check(build, version)[0].what
    on_disk(build, f"{output.prefix}/{newer}").write_bytes(on_disk(build, output.file).read_bytes())
    assert check(build, version) == [], "a retry has gone on from here, and this version is as whole as before"
    commit.write_text("{")
    assert "does not read as a commit" in check(build, version)[0].what


def test_an_edited_manifest(built: Built) -> None:
    build, version = built()
    path = on_disk(build, f"{version.prefix}/manifest.json")
    manifest = json.loads(path.read_text())
    manifest["counts"]["records"] += 1
    path.write_text(json.dumps(manifest))
    edited, counts = check(build, version)
    assert edited.path == counts.path == f"{version.prefix}/manifest.json"
    assert f"where it is the manifest of {version.id}" in edited.what
    assert "records=10" in counts.what
    assert "records=9" in counts.what
    manifest["counts"].update(records=9, images=8)
    path.write_text(json.dumps(manifest))
    assert "1 images are doubled" in check(build, version)[1].what
    path.unlink()
    assert built()[1] == version
    assert check(build, version) == []


@pytest.mark.parametrize("name", ["shards.parquet", "quarantine.parquet"])
def test_a_versions_own_tables(whole: BuiltVersion, name: str) -> None:
    build, version = whole
    path = on_disk(build, f"{version.prefix}/{name}")
    whole = path.read_bytes()
    table = pq.read_table(path)
    path.write_bytes(whole[:-20])
    assert "does not read as parquet" in check(build, version)[0].what
    pq.write_table(pa.concat_tables([table, pa.table({c: [None] for c in table.column_names}, table.schema)]), path)
    assert "where the manifest says" in check(build, version)[0].what
    path.unlink()
    (problem,) = check(build, version)
    assert (problem.path, problem.what) == (f"{version.prefix}/{name}", "is missing")


def test_a_missing_card(whole: BuiltVersion) -> None:
    build, version = whole
    card = on_disk(build, f"{version.prefix}/README.md")
    card.write_text(card.read_text() + "Licence: CC0\n")
    assert check(build, version) == [], "people add to a card"
    card.unlink()
    assert [str(problem) for problem in check(build, version)] == [
        f"{version.prefix}/README.md: is missing; it is the data set's card; "
        "run the same build again, which makes it anew"
    ]


def test_a_missing_or_damaged_export(whole: BuiltVersion) -> None:
    build, version = whole
    names = [f"{version.prefix}/{version.dataset}-0000{i}" for i in range(3)]
    on_disk(build, f"{names[0]}.tar").unlink()
    on_disk(build, f"{names[1]}.parquet").unlink()
    tar = on_disk(build, f"{names[2]}.tar")
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    on_disk(build, f"{version.prefix}/other.tar").write_bytes(b"")
    gone, lost, flipped, stray = check(build, version)
    assert (gone.path, lost.path, flipped.path) == (f"{names[0]}.tar", f"{names[1]}.parquet", f"{names[2]}.tar")
    assert "is missing" in gone.what
    assert "is missing" in lost.what
    assert "its SHA-256 is" in flipped.what
    assert "differs from its stages' tars in canny.png" in flipped.what
    assert (stray.path, stray.what) == (f"{version.prefix}/other.tar", "is no part of this version")
    on_disk(build, f"{version.prefix}/export.json").unlink()
    (problem,) = check(build, version)
    assert problem.path == f"{version.prefix}/export.json"


def test_an_export_whose_list_was_changed_with_it(whole: BuiltVersion) -> None:
    build, version = whole
    target = f"{version.prefix}/{version.dataset}-00000"
    tar, listing = on_disk(build, f"{target}.tar"), on_disk(build, f"{version.prefix}/export.json")
    with tar.open("rb") as stream:
        records = dict(read_shard(stream))
    key = min(records)
    records[key]["txt"] = b"another caption"
    written = write_shard(tar, sorted(records.items()))
    listed = json.loads(listing.read_text())
    listed[0].update(digest=written.digest, size=written.size)
    listing.write_text(json.dumps(listed))
    (problem,) = check(build, version)
    assert problem.what == f"record {key} differs from its stages' tars in txt"


def test_an_export_without_tars(built: Built) -> None:
    build, version = built(export="never")
    assert check(build, version) == []


def test_a_sidecar_that_is_missing_or_lies(whole: BuiltVersion) -> None:
    build, version = whole
    gone, lying, _ = outputs_of(build, version, "depth")
    on_disk(build, gone.sidecar).unlink()
    path = on_disk(build, lying.sidecar)
    rows = pq.read_table(path).to_pylist()
    rows[1]["depth_mean"] += 0.25
    pq.write_table(pa.Table.from_pylist(rows), path)
    problems = {problem.path: problem for problem in check(build, version)}
    assert "is missing" in problems[gone.sidecar].what
    assert problems[lying.sidecar].what.startswith(f"depth_mean of record {rows[1]['key']} is {rows[1]['depth_mean']}")
    assert f"delete {lying.commit}" in problems[lying.sidecar].remedy


def _png(name: str, array: np.ndarray[Any, Any]) -> Callable[[Records], None]:
    return lambda records: records[min(records)].update({name: FIELDS[name].encode(array)})


def _renamed(records: Records) -> None:
    records["0123456789abcdef"] = records[min(records)]


@pytest.mark.parametrize(
    ("stage", "change", "what"),
    [
        ("canny", _png("canny.png", np.zeros((32, 64), np.uint8)), "canny.png: expected height x width 64 x 64, found"),
        ("depth", _png("depth.png", np.zeros((64, 64), np.uint8)), "depth.png: expected uint16, found uint8"),
        ("canny", _png("canny.png", np.zeros((64, 64, 3), np.uint8)), "expected 1 channel(s), found 3"),
        ("image", lambda r: r[min(r)].update(json=b"[]"), "json: expected an object, found list"),
        ("image", lambda r: r[min(r)].update(json=r[max(r)]["json"]), "json: expected the record's key"),
        ("image", lambda r: r[min(r)].pop("txt"), "has jpg, json, where stage 'image' writes jpg, json, txt"),
        (
            "depth",
            lambda r: r[min(r)].update(extra=b""),
            "extra: does not decode (the field 'extra' has no known suffix",
        ),
        ("depth", _renamed, "record 0123456789abcdef is one too many"),
        ("depth", lambda r: r.pop(min(r)), "is missing"),
    ],
)
def test_records_made_by_hand_under_a_matching_digest(
    whole: BuiltVersion, stage: str, change: Callable[[Records], None], what: str
) -> None:
    build, before = whole
    output = outputs_of(build, before, stage)[1]
    version = remake(build, output, change)
    found = [problem for problem in check(build, version) if problem.path == output.file]
    assert any(what in problem.what for problem in found), check(build, version)


def test_a_plan_that_lost_its_rows(whole: BuiltVersion) -> None:
    build, version = whole
    for file in on_disk(build, build.plan_prefix).glob("rows-*.parquet"):
        file.unlink()
    problems = check(build, version)
    assert len(problems) == 3
    assert all("the rows of shard" in problem.what for problem in problems)
