"""Merged shards: what they hold, whatever the number of stages that they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.preprocess.shards import join, read_shard, write_shard
from tests.preprocess.builds import CHEAP_STAGES, build_here, config_here, write_photos


@pytest.mark.parametrize("count", [1, 3])
def test_a_merged_shard_holds_every_stages_fields_and_is_what_its_listing_says(tmp_path: Path, count: int) -> None:
    write_photos(tmp_path / "photos", 4)
    stages = dict(list(CHEAP_STAGES.items())[:count])
    _, version = build_here(config_here(tmp_path, stages=stages))
    outputs = sorted((tmp_path / "out" / "stages").glob("*/*/*.tar"))
    merged = write_shard(tmp_path / "merged.tar", join(read_shard(path.open("rb")) for path in outputs))
    folder = tmp_path / "out" / version.prefix
    (listed,) = json.loads((folder / "export.json").read_text())
    assert len(outputs) == count
    assert (listed["digest"], listed["size"], listed["records"]) == (merged.digest, merged.size, 4)
    assert (folder / "small-00000.tar").read_bytes() == (tmp_path / "merged.tar").read_bytes()
