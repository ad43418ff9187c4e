"""Which records of a data set are cases, where few have what is asked for, and where none are held out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from sluice.flows.evaluate.recorded import HeldOut
from sluice.flows.evaluate.records import Records
from sluice.training.data import TrainingData, TrainingShard
from tests.flows.conftest import config_for
from tests.preprocess.builds import build_here

IMAGE = {"size": 64, "min_side": 0, "validation": 0}
ALL = 99


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Scenes of which few have a figure."""
    out = tmp_path_factory.mktemp("rare")
    stages = {"image": IMAGE, "given": {"conditions": ["pose", "pose.json"]}, "canny": {}}
    build_here(config_for({"kind": "tabletop", "uri": "24", "size": 64}, out, stages=stages, shard_size=7))
    return str(out / "datasets" / "made")


def test_where_nothing_is_held_out_the_last_records_are_cases(tmp_path: Path) -> None:
    source = {"kind": "tabletop", "uri": "4", "size": 64}
    build_here(config_for(source, tmp_path, stages={"image": IMAGE, "canny": {}}, shard_size=3))
    held = HeldOut(str(tmp_path / "datasets" / "made"))
    keys = [own.record.key for own in held.first(ALL)]
    assert held.split == "train"
    assert held.told.endswith(", train")
    assert len(keys) == 4
    assert [own.record.key for own in HeldOut(held.uri).first(2)] == keys[:2]
    shards = [shard.keys for shard in held.data.split("train", ["jpg"]).shards]
    assert keys == [key for shard in shards[::-1] for key in shard[::-1]]


def test_of_records_without_a_pose_only_its_points_are_read(rare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, whole = list[str](), TrainingData.read

    def noted(of: TrainingData, shard: TrainingShard, fields: Collection[str]) -> dict[str, dict[str, bytes]]:
        read.extend(key for key in shard.keys if "jpg" in fields)
        return whole(of, shard, fields)

    monkeypatch.setattr(TrainingData, "read", noted)
    held = HeldOut(rare)
    some = held.first(ALL)
    posed = [own.record.key for own in some if len(own.people)]
    assert 4 <= len(posed) < len(some) / 2
    read.clear()
    records = Records(HeldOut(rare))
    assert [own.record.key for own in records.cases("pose", 2)] == posed[:2]
    assert [own.record.key for own in records.cases("pose", ALL)] == posed == read
    records.cases("canny", ALL)
    assert sorted(read) == sorted(own.record.key for own in some), "none is read twice"


def test_no_record_is_in_two_pairs_where_few_have_a_pose(rare: str) -> None:
    for pair in (("pose", "canny"), ("canny", "pose")):
        pairs = Records(HeldOut(rare)).pairs(pair, 4)
        assert len({own.record.key for two in pairs for own in (two.one, two.other)}) == 8  # type: ignore[attr-defined]


def test_no_record_is_beside_itself_where_all_have_to_be_in_two_pairs(rare: str) -> None:
    pairs = Records(HeldOut(rare)).pairs(("canny", "pose"), ALL)
    assert all(two.one.record.key != two.other.record.key for two in pairs)  # type: ignore[attr-defined]
