"""The same bytes, whoever builds them, in whatever order, after whatever was lost or failed in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.preprocess.planning.build import Build, read_commits
from sluice.preprocess.sources.folder import Folder
from tests.flows.conftest import THIN, config_for, tree, write_pictures
from tests.flows.runs import Journal

Builder = Callable[..., Any]
STAGES = {**THIN, "brightness": {}}


def test_one_two_and_four_workers_give_the_same_bytes(build: Builder, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(24))
    trees = []
    for workers in (1, 2, 4):
        out = tmp_path / f"out{workers}"
        build(config_for(tmp_path / "in", out, stages=STAGES, shard_size=6, workers=workers))
        trees.append(tree(out))
    assert len(trees[0]) == 4 * 4 * 2 + 4 * 2 + 6, "tars and sidecars, exports with theirs, the version's own files"
    assert trees[0] == trees[1] == trees[2]


@pytest.mark.slow
def test_the_order_of_files_does_not_matter(build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "in", list(range(24)))
    build(config_for(tmp_path / "in", tmp_path / "first", stages=STAGES, shard_size=6))
    shutil.rmtree(tmp_path / "in")
    write_pictures(tmp_path / "in", list(reversed(range(24))))
    in_order = Folder.items
    monkeypatch.setattr(Folder, "items", lambda self: reversed(list(in_order(self))))
    build(config_for(tmp_path / "in", tmp_path / "second", stages=STAGES, shard_size=6))
    assert tree(tmp_path / "second") == tree(tmp_path / "first")


def computed(prepared: Build) -> dict[str, int]:
    """How many records the last run of each stage's units computed, by stage."""
    commits = read_commits(prepared)
    return {stage: sum(c.facts["computed"] for c in of_stage.values()) for stage, of_stage in commits.items()}


def test_retry_runs_only_what_failed_and_ends_as_if_nothing_had(build: Builder, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(30))
    journal, flag = Journal(tmp_path / "journal"), tmp_path / "flag"
    moody = {"flag": str(flag), "journal": str(journal.path)}
    stages = {**THIN, "moody": moody, "echo": {}, "brightness": {}}
    values: dict[str, Any] = {"stages": stages, "max_failures": 1.0}
    build(config_for(tmp_path / "in", tmp_path / "never", **values))
    unfailing = sorted(journal.keys)
    journal.begin()

    flag.touch()
    config = config_for(tmp_path / "in", tmp_path / "out", **values)
    _, failed, _ = build(config)
    bad = sorted(key for key in unfailing if key[-1] in "012")
    assert failed.manifest["counts"]["quarantined"] == len(bad) > 2
    journal.begin()

    _, again, said = build(config)
    assert (again.id, said, journal.keys) == (failed.id, "", []), "a plain build leaves the quarantined alone"
    _, still, _ = build(config, retry=True)
    assert still.id == failed.id
    assert sorted(journal.keys) == bad
    journal.begin()

    flag.unlink()
    prepared, mended, _ = build(config, retry=True)
    assert sorted(journal.keys) == bad
    assert computed(prepared)["echo"] == len(bad), "what depends on the failed runs on the mended alone"
    assert mended.manifest["counts"]["quarantined"] == 0
    assert tree(tmp_path / "never").items() <= tree(tmp_path / "out").items()


def test_what_is_lost_or_cut_is_made_again_with_the_same_bytes(build: Builder, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(30))
    out = tmp_path / "out"
    config = config_for(tmp_path / "in", out)
    _, version, _ = build(config)
    before, commits = tree(out), sorted(out.glob("stages/*/*/*.json"))
    image, canny, depth = (sorted((out / "stages" / stage).glob("*/*")) for stage in ("image", "canny", "depth"))
    next(path for path in image if path.suffix == ".tar").unlink()
    canny[0].unlink()
    os.truncate(depth[-1], depth[-1].stat().st_size // 2)
    [path for path in canny if path.suffix == ".json"][-1].unlink()
    next(path for path in depth if path.suffix == ".parquet").unlink()
    assert build(config)[1].id == version.id
    assert tree(out) == before
    assert sorted(out.glob("stages/*/*/*.json")) == commits


def test_an_export_that_was_broken_off_or_lost_is_made_again(build: Builder, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(30))
    out = tmp_path / "out"
    config = config_for(tmp_path / "in", out)
    _, version, _ = build(config)
    before, exported = tree(out), out / version.prefix
    for lost in (["made-00002.tar", "export.json", "README.md", "manifest.json"], ["made-00001.tar"]):
        for name in lost:
            (exported / name).unlink()
        _, again, said = build(config)
        assert again.id == version.id
        assert {line.split("] ")[1].split(":")[0] for line in said.splitlines()} == {"export"}
        assert tree(out) == before
    (out / "datasets/made/aliases/latest.json").unlink()
    assert build(config)[2] == "", "nothing runs for an alias"
    assert tree(out) == before


@pytest.mark.slow
def test_a_hundred_images_more_among_four_thousand_make_a_new_shard_only(build: Builder, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(4000), 24)
    stages = {"image": {"size": 16, "min_side": 16}, "canny": {}}
    config = config_for(tmp_path / "in", tmp_path / "out", stages=stages, shard_size=1000)
    _, first, _ = build(config)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/stages").rglob("*") if path.is_file()}
    before = tree(tmp_path / "out")
    write_pictures(tmp_path / "in", range(4000, 4100), 24)
    _, second, said = build(config)
    assert second.manifest["shards"][:4] == first.manifest["shards"]
    assert [shard[2] for shard in second.manifest["shards"]] == [1000] * 4 + [100]
    assert "image: 100 of 100 records" in said
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}, "nothing old was written again"
    new = tree(tmp_path / "out").items() - before.items()
    assert sum(path.startswith("stages/") for path, _ in new) == 2 * 2, "a tar and a sidecar for each stage"
