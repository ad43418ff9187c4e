"""Garbage collection and status on S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.operate.keeping import Wish, moment_of
from sluice.infra.storage import storage
from sluice.preprocess.version.manifest import version_ids
from tests.faults.servers import S3Server
from tests.flows.command_line import Sluice
from tests.flows.operate.collected import assert_consistent, collect, of_stage
from tests.flows.operate.conftest import knob
from tests.preprocess.builds import (
    build_here,
    config_here,
    write_photos,
)


@pytest.mark.parametrize("vendor", ["moto", "rclone"])
def test_the_same_on_s3(
    tmp_path: Path, vendor: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, sluice: Sluice
) -> None:
    server: S3Server = request.getfixturevalue(f"{vendor}_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    out = f"s3://{server.new_bucket()}/team"
    write_photos(tmp_path / "photos", 4)
    for low in (100, 50):
        build_here(config_here(tmp_path, stages=knob(low), out=out))
    place = storage(out)
    assert collect(place) == [], "all is young"
    aliases_only = Wish(since=moment_of("2999-01-01"))
    assert collect(place, aliases_only, grace=0) != []
    assert len(version_ids(place, "small")) == 1
    assert_consistent(place)
    assert len([path for path in of_stage((e.path for e in place.list()), "canny") if path.endswith(".tar")]) == 1
    assert collect(place, aliases_only, grace=0) == []
    assert "Nothing is to go." in sluice("gc", out, "--delete").out
    told = sluice("status", out).out
    assert told.splitlines()[0] == "data set small: 1 version, 1 planned shard"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    if vendor == "rclone":  # it checks signatures
        for command in (["status", out], ["gc", out, "--keep", "1"]):
            denied = sluice(*command)
            assert denied.code == 2
            assert "AWS_" in denied.error or "credentials" in denied.error
