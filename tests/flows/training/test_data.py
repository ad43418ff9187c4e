"""Merged shards, as anybody may lay them out, as training's data; what `dataset build` made is trained on elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.flows.training.data import BuiltData, fields_for, open_data, require_fields
from sluice.infra.storage import storage
from sluice.preprocess.shards import write_shard
from sluice.preprocess.version.manifest import UnknownVersion, Version
from sluice.training.data import MissingRecords


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    for number in range(2):
        keys = [f"{number}{row}" for row in range(4)]
        write_shard(tmp_path / f"{number}.tar", ((key, {"jpg": b"j", "txt": key.encode()}) for key in keys))
        rows = [{"key": key, "split": "validation" if key.endswith("3") else "train"} for key in keys]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{number}.parquet")
    return tmp_path


def test_merged_shards_are_read_by_split(merged: Path) -> None:
    data = open_data(str(merged))
    assert data.fields == {"jpg", "txt"}
    assert [shard.keys for shard in data.split("train", ["txt"]).shards] == [("00", "01", "02"), ("10", "11", "12")]
    held = data.split("validation", ["txt"])
    assert held.read(held.shards[1], ["txt"]) == {"13": {"txt": b"13"}}


def test_what_other_weights_cached_is_not_taken(tmp_path: Path) -> None:
    stages = [
        {"name": "image", "writes": ["jpg", "txt"], "weights": None},
        {"name": "latent", "writes": ["latent.npy"], "weights": "ours"},
    ]
    built = BuiltData(storage(tmp_path), Version("made", "id", {"stages": stages}))
    assert fields_for(built, "ours") == {"jpg", "txt", "latent.npy"}
    assert fields_for(built, "others") == {"jpg", "txt"}


def test_a_version_that_records_were_withdrawn_from_is_told_from_itself_before(tmp_path: Path) -> None:
    before = Version("made", "id", {"stages": []})
    after = replace(before, manifest={"stages": [], "withdrawn": {"keys": ["aa"], "digest": "d1"}})
    assert BuiltData(storage(tmp_path), before).withdrawn is None
    assert BuiltData(storage(tmp_path), after).withdrawn == "d1"


def test_another_byte_is_another_data_set(merged: Path) -> None:
    before = open_data(str(merged)).digest
    write_shard(merged / "2.tar", [("20", {"jpg": b"j", "txt": b"20"})])
    assert open_data(str(merged)).digest != before


def test_what_is_not_there_is_said(merged: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingRecords, match=r"micontrolnet is trained on canny.png, txt, and here lacks canny.png"):
        require_fields(open_data(str(merged)), "here", ["txt", "canny.png"], "micontrolnet")
    with pytest.raises(MissingRecords, match="holds no shards"):
        open_data(str(tmp_path / "nowhere"))
    with pytest.raises(UnknownVersion, match=r"data set 'photos' in .* has no version 'latest'"):
        open_data(str(tmp_path / "datasets" / "photos"))
