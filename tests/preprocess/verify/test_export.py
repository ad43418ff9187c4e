"""What can be wrong with a version's merged shards."""

from __future__ import annotations

import json

from sluice.preprocess.shards import read_shard, write_shard
from tests.preprocess.builds import BuiltVersion
from tests.preprocess.verify.checked import Built, check, on_disk


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
