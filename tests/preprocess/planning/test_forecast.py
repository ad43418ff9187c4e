"""That a plan counts what a build will run."""

from __future__ import annotations

from pathlib import Path

from sluice.preprocess.planning.build import prepare, read_commits
from sluice.preprocess.planning.forecast import forecast
from tests.preprocess.builds import build_here, config_here, run_scan, write_photos


def test_a_retry_counts_what_failed_and_not_the_shard_around_it(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    (tmp_path / "photos" / "p4.png").write_bytes(b"no picture")
    config = config_here(tmp_path)
    build_here(config)
    build = prepare(config, run_scan, retry=True)
    stages = forecast(build, read_commits(build), build.plan.shards, retry=True)
    assert {stage.name: stage.run_records for stage in stages} == {stage.name: 1 for stage in stages}
    assert stages[0].reason == "retries what failed"
    rest = forecast(build, read_commits(build), build.plan.shards, retry=False)
    assert all(stage.run_records == 0 for stage in rest)
