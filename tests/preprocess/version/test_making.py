"""That a version counts what its commits hold, and says so where they lost something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.preprocess.planning.build import read_commits
from sluice.preprocess.version.making import LostOutput, LostRecords, is_as_made, make_manifest
from tests.preprocess.builds import CHEAP_STAGES, build_here, config_here, write_photos


def test_a_commit_that_counts_too_few_records_makes_no_version(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    assert version.manifest["counts"]["records"] == 9
    node, shard = build.nodes[-1], build.plan.shards[0]
    path = tmp_path / "out" / "stages" / node.name / node.fingerprint / f"{shard.id}.json"
    commit = json.loads(path.read_text())
    path.write_text(json.dumps({**commit, "records": commit["records"] - 1}))
    with pytest.raises(LostRecords, match=rf"'{node.name}' should have {shard.records} records of shard {shard.id}"):
        make_manifest(build, read_commits(build), build.plan.shards)


def test_how_a_stage_was_run_makes_no_other_version(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    _, version = build_here(config_here(tmp_path))
    stages = {name: {**values, "cpus": 2} for name, values in CHEAP_STAGES.items()}
    _, again = build_here(config_here(tmp_path, stages=stages))
    assert again.id == version.id


@pytest.mark.parametrize("lost", ["{shard}.json", "{shard}-*.tar"])
def test_an_output_that_went_while_a_build_ran_is_named(tmp_path: Path, lost: str) -> None:
    write_photos(tmp_path / "photos")
    build, _ = build_here(config_here(tmp_path))
    node, shard = build.nodes[-1], build.plan.shards[0]
    folder = tmp_path / "out" / "stages" / node.name / node.fingerprint
    (file,) = folder.glob(lost.format(shard=shard.id))
    file.unlink()
    with pytest.raises(
        LostOutput, match=rf"'{node.name}' made of 1 shards, {shard.id} first, went from .* Build again"
    ):
        make_manifest(build, read_commits(build), build.plan.shards)


@pytest.mark.parametrize("name", ["manifest.json", "shards.parquet", "quarantine.parquet"])
def test_a_version_whose_own_file_is_damaged_is_not_as_made(tmp_path: Path, name: str) -> None:
    write_photos(tmp_path / "photos", 4)
    build, version = build_here(config_here(tmp_path))
    files = make_manifest(build, read_commits(build), build.plan.shards)[1]
    assert is_as_made(build.storage, version, files)
    file = tmp_path / "out" / version.prefix / name
    whole = file.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], whole[:-9] + bytes(9)):
        file.write_bytes(damage)
        assert not is_as_made(build.storage, version, files)
