"""Records from real tars: each at its place, whole, or with an error that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice.preprocess.shards import ShardError, write_shard
from sluice.training.data import MissingRecords, Stream, TrainingData, TrainingShard

COUNTS = (3, 5, 2, 4)


def write(folder: Path, name: str = "a") -> TrainingData:
    """Shards of two tars each, as stages leave them; every fifth record is of the validation split."""
    shards = []
    for number, count in enumerate(COUNTS):
        keys = [f"{name}{number:02}{row:02}" for row in range(count)]
        for field in ("txt", "json"):
            path = folder / name / field / f"{number}.tar"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_shard(path, ((key, {field: f'"{field} of {key}"'.encode()}) for key in keys))
        files = (f"{name}/txt/{number}.tar", f"{name}/json/{number}.tar")
        shards.append(TrainingShard(files, tuple(key for row, key in enumerate(keys) if row != 4)))
    return TrainingData(str(folder), tuple(shards), "digest")


def test_an_epoch_has_every_record_with_its_fields(tmp_path: Path) -> None:
    data = write(tmp_path)
    stream = Stream([data], ["txt", "json"], seed=0, window=2)
    total = sum(data.counts)
    assert total == sum(COUNTS) - 1
    for epoch in range(2):
        samples = list(stream.samples(range(epoch * total, (epoch + 1) * total)))
        assert {sample.epoch for sample in samples} == {epoch}
        assert sorted(s.record.key for s in samples) == sorted(key for shard in data.shards for key in shard.keys)
        assert all(s.record["json"] == f"json of {s.record.key}" for s in samples)


def test_any_position_is_found_without_those_before_it(tmp_path: Path) -> None:
    data = write(tmp_path)
    whole = [s.record.key for s in Stream([data], ["txt"], seed=0).samples(range(40))]
    assert [Stream([data], ["txt"], seed=0)[n].record.key for n in (39, 0, 17)] == [whole[n] for n in (39, 0, 17)]


def test_fields_that_nobody_asked_for_are_not_held(tmp_path: Path) -> None:
    assert Stream([write(tmp_path)], ["txt"], seed=0)[0].record.encoded.keys() == {"txt"}


def test_data_sets_are_mixed_by_weight_or_by_size(tmp_path: Path) -> None:
    data = [write(tmp_path, "a"), write(tmp_path, "b")]
    by_weight = [s.record.key[0] for s in Stream(data, ["txt"], 0, weights=[3, 1]).samples(range(1000))]
    assert by_weight.count("a") == 750
    by_size = [s.record.key[0] for s in Stream(data, ["txt"], 0).samples(range(1000))]
    assert by_size.count("a") == 500


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    data = write(tmp_path)
    with pytest.raises(MissingRecords, match=r"record a\d+ of a/txt/\d.tar lacks canny.png"):
        Stream([data], ["txt", "canny.png"], seed=0)[0]
    (tmp_path / "a/json/1.tar").unlink()
    with pytest.raises(ShardError, match="it was there when this training began"):
        list(Stream([data], ["txt", "json"], seed=0).samples(range(20)))
    with pytest.raises(MissingRecords, match="has no records to train on"):
        Stream([TrainingData(str(tmp_path), (TrainingShard((), ()),), "")], ["txt"], seed=0)
    lost = TrainingShard(data.shards[0].files, (*data.shards[0].keys, "a0099"))
    with pytest.raises(MissingRecords, match=r"1 of the records of a/txt/0.tar are gone \(first: a0099\)"):
        Stream([TrainingData(str(tmp_path), (lost,), "")], ["txt"], seed=0)[0]


def test_a_damaged_tar_is_named_with_its_folder(tmp_path: Path) -> None:
    data = write(tmp_path)
    tar = tmp_path / "a/json/1.tar"
    tar.write_bytes(tar.read_bytes()[:700])
    told = re.escape(f"{tar}: not a whole tar") + r".*: export merged shards again"
    with pytest.raises(ShardError, match=told):
        list(Stream([data], ["txt", "json"], seed=0).samples(range(20)))
