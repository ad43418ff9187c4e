"""A version whose manifest, tables, card or plan are wrong is told so, and a whole one is not."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.preprocess.verify.version import verify
from tests.preprocess.builds import BuiltVersion, write_photo
from tests.preprocess.verify.checked import Built, check, on_disk


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


def test_a_plan_that_lost_its_rows(whole: BuiltVersion) -> None:
    build, version = whole
    for file in on_disk(build, build.plan_prefix).glob("rows-*.parquet"):
        file.unlink()
    problems = check(build, version)
    assert len(problems) == 3
    assert all("the rows of shard" in problem.what for problem in problems)
