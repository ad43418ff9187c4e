"""Every way in which tars, commits and sidecars of a version can be wrong is told apart, and the remedy mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.preprocess.planning.build import Build, read_commits
from sluice.preprocess.record import FIELDS
from sluice.preprocess.shards import read_shard, write_shard
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import Version, store_version
from sluice.preprocess.version.reading import StageOutput
from tests.preprocess.builds import BuiltVersion
from tests.preprocess.verify.checked import Built, check, on_disk, outputs_of

Records = dict[str, dict[str, bytes]]


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


def test_a_sidecar_that_is_missing_damaged_or_lies(whole: BuiltVersion) -> None:
    build, version = whole
    gone, lying, damaged = outputs_of(build, version, "depth")
    on_disk(build, gone.sidecar).unlink()
    on_disk(build, damaged.sidecar).write_bytes(bytes(500))
    path = on_disk(build, lying.sidecar)
    rows = pq.read_table(path).to_pylist()
    rows[1]["depth_mean"] += 0.25
    pq.write_table(pa.Table.from_pylist(rows), path)
    problems = {problem.path: problem for problem in check(build, version)}
    assert "is missing" in problems[gone.sidecar].what
    assert "does not read as a parquet file" in problems[damaged.sidecar].what
    assert f"delete {damaged.commit}" in problems[damaged.sidecar].remedy
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
