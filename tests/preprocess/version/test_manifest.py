"""That a version counts what its commits hold, and says so where they lost something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.preprocess.planning.build import read_commits
from sluice.preprocess.version.manifest import DamagedVersion, LostRecords, make_manifest, read_table, read_version
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


def test_a_cut_table_or_alias_is_named_with_its_remedy(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    table = tmp_path / "out" / version.prefix / "shards.parquet"
    table.write_bytes(table.read_bytes()[:50])
    with pytest.raises(DamagedVersion, match=r"shards\.parquet is damaged .*delete it"):
        read_table(build.storage, version, "shards.parquet")
    alias = tmp_path / "out" / "datasets" / version.dataset / "aliases" / "latest.json"
    alias.write_text('{"ver')
    with pytest.raises(DamagedVersion, match=r"latest\.json is damaged .*name a version by its id"):
        read_version(build.storage, version.dataset)
    assert read_version(build.storage, version.dataset, version.id).id == version.id
