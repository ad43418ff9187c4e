"""A build from folder to version: what it makes, what a second one does, and what a changed knob costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.preprocess.planning.build import pending, read_commits
from tests.flows.conftest import THIN, config_for, tree, write_pictures


def test_a_second_build_runs_nothing_and_gives_the_same_version(build: Callable[..., Any], tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(25))
    config = config_for(tmp_path / "in", tmp_path / "out")
    prepared, version, said = build(config)
    assert version.manifest["counts"] == {
        "images": 25, "records": 25, "duplicates": 0, "quarantined": 0, "filtered": 0,
    }  # fmt: skip
    assert "image: 25 of 25 records" in said
    before = tree(tmp_path / "out")
    assert list(pending(prepared, read_commits(prepared), prepared.plan.shards, retry=False)) == []
    assert build(config)[1].id == version.id
    assert build(config)[2] == ""
    assert tree(tmp_path / "out") == before


def test_a_changed_knob_runs_its_stage_and_what_depends_on_it_only(build: Callable[..., Any], tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(20))
    stages = {**THIN, "brightness": {}}
    build(config_for(tmp_path / "in", tmp_path / "out", stages=stages))
    before = tree(tmp_path / "out")
    _, _, said = build(config_for(tmp_path / "in", tmp_path / "out", stages={**stages, "canny": {"low": 50}}))
    ran = {line.split("] ")[1].split(":")[0] for line in said.splitlines()}
    assert ran == {"canny", "export"}
    new = tree(tmp_path / "out").keys() - before.keys()
    assert {path.split("/")[1] for path in new if path.startswith("stages/")} == {"canny"}


def test_additions_make_new_shards_and_leave_the_others_alone(build: Callable[..., Any], tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(30))
    config = config_for(tmp_path / "in", tmp_path / "out")
    _, first, _ = build(config)
    before = tree(tmp_path / "out")
    write_pictures(tmp_path / "in", range(30, 37))
    _, second, said = build(config)
    after = tree(tmp_path / "out")
    assert {p: d for p, d in after.items() if p in before and "aliases" not in p} == {
        p: d for p, d in before.items() if "aliases" not in p
    }
    assert "image: 7 of 7 records" in said
    assert second.manifest["shards"][:3] == first.manifest["shards"]
    assert [shard[2] for shard in second.manifest["shards"]] == [10, 10, 10, 7]
