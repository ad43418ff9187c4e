"""What a change of the source costs and leads to: files gone, changed, alike, and the first shards alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from sluice.flows.dataset.indexing import scan_runner
from sluice.infra.storage import storage
from sluice.preprocess.planning.build import Build, prepare
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import Version, read_version
from tests.flows.conftest import THIN, config_for, picture, write_pictures
from tests.flows.records import read_records

Building = Callable[..., tuple[Build, Version, str]]


@pytest.fixture
def config(tmp_path: Path) -> DatasetConfig:
    """Twelve pictures in three shards."""
    write_pictures(tmp_path / "in", range(12))
    return settings(tmp_path)


def settings(folder: Path, **values: Any) -> DatasetConfig:
    stages = {"image": THIN["image"]}
    return config_for(folder / "in", folder / "out", stages=stages, shard_size=4, workers=1, **values)


def uris(folder: Path, version: Version) -> list[str]:
    return sorted(read_records(folder / "out", version))


def names(*seeds: int) -> list[str]:
    return [f"{seed:05}.jpg" for seed in seeds]


def ids(version: Version) -> list[str]:
    return [shard[1] for shard in version.manifest["shards"]]


def test_a_removed_file_stays_until_prune_and_is_then_gone_for_good(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    _, first, _ = build(config)
    (tmp_path / "in" / "00005.jpg").unlink()
    prepared, kept, said = build(config)
    assert (kept.id, said, prepared.change.gone) == (first.id, "", {"00005.jpg"})

    _, pruned, said = build(config, prune=True)
    assert uris(tmp_path, pruned) == names(*range(5), *range(6, 12))
    assert "image: 3 of 3 records" in said
    assert (ids(pruned)[0], ids(pruned)[2]) == (ids(first)[0], ids(first)[2])

    prepared, later, said = build(config)
    assert (later.id, said, prepared.change.gone) == (pruned.id, "", frozenset())
    write_pictures(tmp_path / "in", [5])
    assert uris(tmp_path, build(config)[1]) == names(*range(12))


def test_other_bytes_under_the_same_name_replace_the_record(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    _, first, _ = build(config)
    cv2.imwrite(str(tmp_path / "in" / "00005.jpg"), picture(99))
    _, second, said = build(config)
    assert uris(tmp_path, second) == names(*range(12))
    old, new = (read_records(tmp_path / "out", version)["00005.jpg"]["jpg"] for version in (first, second))
    assert old != new
    assert "image: 4 of 4 records" in said  # the three left of its shard, and a new shard of one
    assert [shard[2] for shard in second.manifest["shards"]] == [4, 3, 4, 1]
    assert second.manifest["counts"]["images"] == 12


def test_a_changed_caption_runs_its_shard_only(build: Building, config: DatasetConfig, tmp_path: Path) -> None:
    _, first, _ = build(config)
    (tmp_path / "in" / "00005.txt").write_text("another caption")
    _, second, said = build(config)
    assert "image: 4 of 4 records" in said
    assert [a == b for a, b in zip(ids(first), ids(second), strict=True)] == [True, False, True]
    before, after = (read_records(tmp_path / "out", version) for version in (first, second))
    assert {uri: fields["txt"] for uri, fields in after.items() if fields != before[uri]} == {
        "00005.jpg": b"another caption"
    }


def test_limit_builds_the_first_shards_of_the_whole_plan(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    prepared, two, _ = build(config, limit=2)
    assert uris(tmp_path, two) == names(*range(8))
    assert two.manifest["counts"]["images"] == two.manifest["counts"]["records"] == 8
    assert ids(two) == [shard.id for shard in prepared.plan.shards[:2]]
    _, whole, said = build(config)
    assert "image: 4 of 4 records" in said
    assert ids(whole)[:2] == ids(two)
    assert uris(tmp_path, whole) == names(*range(12))


def test_near_duplicates_are_merged_by_option(build: Building, tmp_path: Path) -> None:
    """The same picture recompressed and shrunk; where a copy comes later, the planned one stays."""
    write_pictures(tmp_path / "in", range(4))
    folder = tmp_path / "in"
    cv2.imwrite(str(folder / "copy-of-2.jpg"), picture(2, 64), [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert build(settings(tmp_path))[1].manifest["counts"]["records"] == 5

    _, merged, _ = build(settings(tmp_path, near_duplicates=6))
    assert uris(tmp_path, merged) == names(0, 1, 2, 3)
    counts = {"images": 5, "records": 4, "duplicates": 1, "quarantined": 0, "filtered": 0}
    assert merged.manifest["counts"] == counts

    cv2.imwrite(str(folder / "00000-copy-of-3.jpg"), picture(3, 72), [cv2.IMWRITE_JPEG_QUALITY, 70])
    _, later, said = build(settings(tmp_path, near_duplicates=6))
    assert uris(tmp_path, later) == names(0, 1, 2, 3)
    assert (ids(later), "image:" in said) == (ids(merged), False)
    assert later.manifest["counts"] == {**counts, "images": 6, "duplicates": 2}


def test_a_source_of_ones_own(build: Building, tmp_path: Path) -> None:
    config = settings(tmp_path).model_copy(update={"source": {"kind": "colours", "uri": "none", "images": 3}})
    _, version, _ = build(config)
    records = read_records(tmp_path / "out", version)
    assert {uri: fields["txt"].decode() for uri, fields in records.items()} == {
        f"colour-{number}": f"colour {number}" for number in range(3)
    }
    assert version.manifest["source"] == {"kind": "colours", "uri": "none", "images": 3, "locked": ""}


def test_a_plan_that_is_only_looked_at_changes_no_history(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    build(config)
    write_pictures(tmp_path / "in", [20])
    _, grown, _ = build(config)
    assert [shard[2] for shard in grown.manifest["shards"]] == [4, 4, 4, 1]
    for other in (settings(tmp_path, near_duplicates=4), settings(tmp_path).model_copy(update={"shard_size": 7})):
        prepare(other, scan_runner(other))
    write_pictures(tmp_path / "in", [21])
    prepare(config, scan_runner(config))
    write_pictures(tmp_path / "in", [22])
    _, later, said = build(config)
    assert [shard[2] for shard in later.manifest["shards"]] == [4, 4, 4, 1, 2]
    assert "image: 2 of 2 records" in said


def test_another_shard_size_and_back_runs_nothing_again(build: Building, config: DatasetConfig, tmp_path: Path) -> None:
    build(config)
    write_pictures(tmp_path / "in", [20])
    _, grown, _ = build(config)
    other = settings(tmp_path).model_copy(update={"shard_size": 13})
    assert len(build(other)[1].manifest["shards"]) == 1
    _, back, said = build(config)
    assert (back.id, said) == (grown.id, "")


def test_a_source_in_another_spelling_keeps_its_shards(build: Building, config: DatasetConfig, tmp_path: Path) -> None:
    build(config)
    write_pictures(tmp_path / "in", [20])
    _, grown, _ = build(config)
    source = {"kind": "folder", "uri": str(tmp_path / "out" / ".." / "in")}
    _, respelled, said = build(config.model_copy(update={"source": source}))
    assert ids(respelled) == ids(grown)
    assert "image" not in said


def test_a_limited_version_does_not_take_the_place_of_a_whole_one(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    place = storage(tmp_path / "out")
    _, first, _ = build(config, limit=1)
    assert read_version(place, first.dataset).id == first.id, "the only one there is"
    _, more, _ = build(config, limit=2)
    assert read_version(place, first.dataset).id == more.id
    _, whole, _ = build(config)
    _, again, _ = build(config, limit=1)
    assert again.id == first.id
    assert read_version(place, first.dataset).id == whole.id


def test_retry_takes_no_new_picture(build: Building, config: DatasetConfig, tmp_path: Path) -> None:
    (tmp_path / "in" / "00003.jpg").write_bytes(b"no picture")
    generous = config.model_copy(update={"max_failures": 0.5})
    build(generous)
    write_pictures(tmp_path / "in", [20, 21])
    prepare(generous, scan_runner(generous))  # a look at the plan puts them into the index
    _, version, said = build(generous, retry=True)
    assert "image: 4 of 4 records, 1/1 shards" in said
    assert uris(tmp_path, version) == names(0, 1, 2, *range(4, 12))
    assert uris(tmp_path, build(generous)[1]) == names(0, 1, 2, *range(4, 12), 20, 21)


@pytest.mark.slow
def test_a_moved_source_goes_on_with_the_newest_of_its_plans(
    build: Building, config: DatasetConfig, tmp_path: Path
) -> None:
    build(config)
    build(config.model_copy(update={"near_duplicates": 4}))
    for seed in (20, 21):
        write_pictures(tmp_path / "in", [seed])
        _, grown, _ = build(config)
    (tmp_path / "in").rename(tmp_path / "moved")
    source = {"kind": "folder", "uri": str(tmp_path / "moved")}
    _, moved, said = build(config.model_copy(update={"source": source}))
    assert ids(moved) == ids(grown)
    assert "image" not in said
