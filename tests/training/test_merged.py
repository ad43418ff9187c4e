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
from sluice.training.merged import HEAD, first_fields, keys_of, require_in_each
from tests.faults.servers import S3Server

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


def test_a_first_record_of_any_size_is_read_to_its_end(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", [("a", {"jpg": bytes(3 * HEAD + 7), "txt": b"t"}), ("b", {"jpg": b"j"})])
    assert first_fields(storage(tmp_path), "0.tar") == {"jpg", "txt"}


def test_damage_beyond_the_head_is_not_looked_for(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", [("a", {"txt": b"t"}), ("b", {"txt": b"t"}), ("c", {"txt": b"t"})])
    tar = tmp_path / "0.tar"
    tar.write_bytes(tar.read_bytes()[:2048])
    assert first_fields(storage(tmp_path), "0.tar") == {"txt"}


def test_a_later_tar_that_lacks_a_field_is_named(tmp_path: Path) -> None:
    for number in range(40):
        later = {} if number == 30 else {"canny.png": b"c"}
        write_shard(tmp_path / f"{number:02}.tar", [(f"{number:02}", {"txt": b"t", **later})])
    place, tars = storage(tmp_path), [f"{number:02}.tar" for number in range(40)]
    require_in_each(place, tars, ["txt"])
    with pytest.raises(MissingRecords, match=re.escape(f"first record of {tmp_path}/30.tar lacks canny.png, which")):
        require_in_each(place, tars, ["canny.png", "txt"])


def test_a_later_tar_that_lacks_a_field_is_named_in_a_bucket(
    tmp_path: Path, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    place = storage(f"s3://{moto_server.new_bucket()}/photos")
    write_shard(tmp_path / "0.tar", [("a", {"txt": b"t", "jpg": bytes(2 * HEAD)})])
    write_shard(tmp_path / "1.tar", [("b", {"txt": b"t"})])
    for tar in ("0.tar", "1.tar"):
        place.upload(tar, tmp_path / tar)
    with pytest.raises(MissingRecords, match=re.escape(f"first record of {place.uri}/1.tar lacks jpg")):
        require_in_each(place, ["0.tar", "1.tar"], ["jpg", "txt"])
    place.write("2.tar", (tmp_path / "0.tar").read_bytes()[:1000])
    with pytest.raises(ShardError, match=re.escape(f"{place.uri}/2.tar: not a whole tar")):
        first_fields(place, "2.tar")
