"""What lies beside merged tars, and what they begin with: read, or refused by its whole path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.infra.storage import storage
from sluice.preprocess.shards import ShardError, write_shard
from sluice.training.data import MissingRecords
from sluice.training.merged import first_fields, keys_of

ROWS = [{"key": "a", "split": "train"}, {"key": "b", "split": "validation"}, {"key": "c", "split": "train"}]


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet")


def test_keys_are_read_by_split(tmp_path: Path) -> None:
    write_rows(tmp_path, [{**row, "width": 64} for row in ROWS])
    assert keys_of(storage(tmp_path), "0.tar", "train") == ("a", "c")
    pq.write_table(pa.Table.from_pylist([]), tmp_path / "1.parquet")
    with pytest.raises(MissingRecords, match=r"1.parquet lacks the column key and split"):
        keys_of(storage(tmp_path), "1.tar", "train")


@pytest.mark.parametrize("kept", [3, 200])
def test_a_damaged_parquet_is_named(tmp_path: Path, kept: int) -> None:
    write_rows(tmp_path, ROWS)
    file = tmp_path / "0.parquet"
    file.write_bytes(file.read_bytes()[:kept])
    told = re.escape(f"{file} is no parquet file, or a damaged one") + ".*`sluice dataset export`"
    with pytest.raises(MissingRecords, match=told):
        keys_of(storage(tmp_path), "0.tar", "train")


def test_damage_within_a_parquet_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path, ROWS)
    file = tmp_path / "0.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + bytes(60) + whole[64:])
    with pytest.raises(MissingRecords, match=re.escape(f"{file} is no parquet file, or a damaged one")):
        keys_of(storage(tmp_path), "0.tar", "train")


@pytest.mark.parametrize("column", ["key", "split"])
def test_a_column_that_is_not_there_is_named(tmp_path: Path, column: str) -> None:
    write_rows(tmp_path, [{name: value for name, value in row.items() if name != column} for row in ROWS])
    told = re.escape(f"{tmp_path}/0.parquet lacks the column {column}: ")
    with pytest.raises(MissingRecords, match=told):
        keys_of(storage(tmp_path), "0.tar", "train")


@pytest.mark.parametrize(("column", "value"), [("key", 7), ("split", None)])
def test_a_value_of_another_kind_is_named(tmp_path: Path, column: str, value: Any) -> None:
    write_rows(tmp_path, [{**row, column: value} for row in ROWS])
    told = re.escape(f"{tmp_path}/0.parquet: {column} of row 0 is {value!r}, where a string is expected")
    with pytest.raises(MissingRecords, match=told):
        keys_of(storage(tmp_path), "0.tar", "train")


def test_the_fields_of_the_first_record(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", [("a", {"jpg": b"j", "txt": b"t"}), ("b", {"jpg": b"j"})])
    assert first_fields(storage(tmp_path), "0.tar") == {"jpg", "txt"}


def test_a_tar_that_begins_with_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(b"no tar")
    told = re.escape(f"{tmp_path}/0.tar: not a whole tar") + ".*`sluice dataset export`"
    with pytest.raises(ShardError, match=told):
        first_fields(storage(tmp_path), "0.tar")
    write_shard(tmp_path / "1.tar", [])
    with pytest.raises(MissingRecords, match=re.escape(f"{tmp_path}/1.tar holds no record")):
        first_fields(storage(tmp_path), "1.tar")
