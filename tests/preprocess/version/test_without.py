"""A version less some records: byte for byte what stages would have made of what is left, and builds go on from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sluice.preprocess.planning.build import pending, prepare, read_commits
from sluice.preprocess.planning.removed import DamagedTombstones, bury, removed_keys
from sluice.preprocess.shards import ShardError
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version, read_version, table_rows
from sluice.preprocess.version.without import remove_records
from tests.preprocess.builds import build_here, run_scan, write_photos
from tests.preprocess.removals import GONE, Removable, copy_of, moments_lead_to_the_same_end, write_removable


def take(made: Removable, *names: str) -> Version | None:
    keys = made.keys(*names)
    bury(made.place, removed_keys(keys))
    return remove_records(made.place, "small", keys)


def digests(out: Path) -> dict[str, str]:
    """What stages wrote and what was merged."""
    files = [*out.glob("stages/*/*/*.tar"), *out.glob("stages/*/*/*.parquet"), *out.glob("datasets/*/*/small-*")]
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_it_is_what_a_build_of_what_is_left_makes(removable: Removable) -> None:
    before = digests(removable.place.root)
    version = take(removable, *GONE)
    assert version is not None
    assert version.manifest["counts"] == {
        "images": 7, "records": 7, "duplicates": 0, "quarantined": 0, "filtered": 0,
    }  # fmt: skip
    assert read_version(removable.place, "small").id == version.id
    assert verify(removable.place, version) == []
    assert verify(removable.place, removable.last) == [], "the versions before are as they were"
    assert {path: digest for path, digest in digests(removable.place.root).items() if path in before} == before

    build = prepare(removable.config, run_scan)
    assert list(pending(build, read_commits(build), build.plan.shards, retry=False)) == []
    assert build_here(removable.config)[1].id == version.id


def test_its_bytes_are_those_that_the_stages_write(tmp_path: Path) -> None:
    """Against a build that computes these shards again, told to prune photos that are gone."""
    made = write_removable(tmp_path)
    twin = copy_of(made, tmp_path / "twin")
    version = take(made, *GONE)
    for name in (*GONE, "p3-again.png"):
        (tmp_path / "photos" / name).unlink()
    _, pruned = build_here(twin.config, prune=True)
    assert version is not None
    assert version.id == pruned.id
    assert digests(made.place.root) == digests(twin.place.root)


def test_another_source_with_the_same_images_does_not_bring_them_back(removable: Removable, tmp_path: Path) -> None:
    gone = set(removable.keys("p3.png", "p5.png"))
    take(removable, "p3.png", "p5.png")
    source = {"kind": "folder", "uri": str(write_photos(tmp_path / "moved", 6))}
    config = removable.config.model_copy(update={"source": source, "shard_size": 3})
    _, version = build_here(config)
    (index,) = removable.place.root.glob(f"{prepare(config, run_scan).layout.stored['index']}/*")
    assert version.manifest["counts"]["images"] == 4
    assert gone.isdisjoint(pq.read_table(index)["key"].to_pylist())
    assert build_here(config)[1].id == version.id, "and the files are not read anew each time"


def test_what_no_version_holds_makes_no_version(removable: Removable) -> None:
    take(removable, *GONE)
    assert take(removable, *GONE) is None
    assert len(list(removable.place.root.glob("datasets/small/*/manifest.json"))) == 3


def test_a_missing_tar_stops_it_before_a_version_is_made(removable: Removable) -> None:
    row = next(table_rows(removable.place, removable.last, "shards.parquet"))
    (removable.place.root / row["file"]).unlink()
    with pytest.raises(ShardError, match=rf"{row['file']} is missing, and version {removable.last.id} is made of it"):
        take(removable, *(f"p{number}.png" for number in range(9)))
    assert read_version(removable.place, "small").id == removable.last.id


@pytest.mark.parametrize("said", ["[", "[1, 2]", '{"a": 1}', '"abc"', '["abc"]'])
def test_damaged_tombstones_stop_a_build(removable: Removable, said: str) -> None:
    take(removable, "p3.png")
    (file,) = (removable.place.root / "removed").iterdir()
    file.write_text(said)
    with pytest.raises(DamagedTombstones, match=f"{file} is damaged .*would bring back what was removed"):
        prepare(removable.config, run_scan)


@pytest.mark.slow
def test_it_may_be_killed_at_any_moment(removable: Removable, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = removable.keys(*GONE)
    bury(removable.place, removed_keys(keys))
    root = removable.place.root
    moments_lead_to_the_same_end(root, lambda place: remove_records(place, "small", keys), monkeypatch, 1)


def test_a_version_without_tars_has_none_after(removable: Removable) -> None:
    config = removable.config.model_copy(update={"export": "never", "name": "bare"})
    build_here(config)
    version = remove_records(removable.place, "bare", removable.keys("p5.png"))
    assert version is not None
    assert verify(removable.place, version) == []
    assert not list(removable.place.root.glob("datasets/bare/*/*.tar"))
