"""What Arrow says of damaged files is told with their names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.infra.storage import MissingFile, storage
from sluice.infra.tables import DamagedTable, read_table


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    pq.write_table(
        pa.table({"key": [f"{n:016x}" for n in range(1000)], "n": list(range(1000))}), tmp_path / "t.parquet"
    )
    return (tmp_path / "t.parquet").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "page"])
def test_a_damaged_file_is_named_with_its_remedy(damage: str, whole: bytes, tmp_path: Path) -> None:
    page = whole[:4] + bytes([255 - byte for byte in whole[4:200]]) + whole[200:]
    harm = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"key\n1\n", "page": page}
    (tmp_path / "t.parquet").write_bytes(harm[damage])
    with pytest.raises(DamagedTable, match=rf"{tmp_path}/t\.parquet is damaged \(.*\); read it anew"):
        read_table(storage(str(tmp_path)), "t.parquet", remedy="read it anew")


@pytest.mark.usefixtures("whole")
def test_columns_are_read_and_a_missing_file_is_no_damaged_one(tmp_path: Path) -> None:
    assert read_table(storage(str(tmp_path)), "t.parquet", ["key"]).column_names == ["key"]
    with pytest.raises(MissingFile):
        read_table(storage(str(tmp_path)), "other.parquet")
