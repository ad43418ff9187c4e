from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.preprocess.sources import Raw, SourceError
from sluice.preprocess.sources.pick_a_pic import PickAPic, PickAPicConfig

Picture = Callable[..., bytes]

# The columns of pickapic_v1 and _v2.
SCHEMA = pa.schema(
    [
        ("are_different", pa.bool_()),
        ("best_image_uid", pa.string()),
        ("caption", pa.string()),
        ("created_at", pa.timestamp("ns")),
        ("has_label", pa.bool_()),
        ("image_0_uid", pa.string()),
        ("image_0_url", pa.string()),
        ("image_1_uid", pa.string()),
        ("image_1_url", pa.string()),
        ("jpg_0", pa.binary()),
        ("jpg_1", pa.binary()),
        ("label_0", pa.float64()),
        ("label_1", pa.float64()),
        ("model_0", pa.string()),
        ("model_1", pa.string()),
        ("ranking_id", pa.int64()),
        ("user_id", pa.int64()),
        ("num_example_per_prompt", pa.int64()),
        ("__index_level_0__", pa.int64()),
    ]
)
FILE = "data/train-00000-of-00645-b66ac786bf6fb553.parquet"


def row(number: int, picture: Picture, label: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "are_different": True,
        "best_image_uid": f"uid-{number}",
        "caption": f"prompt {number}",
        "created_at": datetime(2023, 5, 1),
        "has_label": label is not None,
        "image_0_uid": f"uid-{number}-0",
        "image_1_uid": f"uid-{number}-1",
        "jpg_0": picture(2 * number),
        "jpg_1": picture(2 * number + 1),
        "label_0": label,
        "label_1": None if label is None else 1 - label,
        "model_0": "SDXL",
        "model_1": "dreamlike",
        "ranking_id": number,
        "user_id": 7,
        **changes,
    }


def write(root: Path, rows: list[dict[str, Any]], name: str = FILE, schema: pa.Schema = SCHEMA) -> None:
    (root / name).parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), root / name, row_group_size=4)


def source(root: Path | str, **options: Any) -> PickAPic:
    return PickAPic(PickAPicConfig(uri=str(root), **options))


def scan(root: Path | str, **options: Any) -> list[Raw]:
    pick = source(root, **options)
    return list(pick.scan(list(pick.items())))


def test_the_preferred_image_of_every_labelled_pair(tmp_path: Path, picture: Picture) -> None:
    labels = [1.0, 0.0, 0.5, None, 0.0, 1.0]
    write(tmp_path, [row(n, picture, label) for n, label in enumerate(labels)])
    write(tmp_path, [row(9, picture, 1.0)], "data/validation-00000-of-00014-aa.parquet")

    raws = scan(tmp_path)

    assert [r.address.uri for r in raws] == [f"{FILE}#{place}" for place in ("0/0", "0/1", "0/2", "1/0", "1/1")]
    assert [r.container for r in raws] == [f"{FILE}#0"] * 3 + [f"{FILE}#1"] * 2
    # The tie gives its second image, as CnC's code does.
    assert [r.fields["raw"] for r in raws] == [picture(n) for n in (0, 3, 5, 9, 10)]
    assert json.loads(raws[1].fields["raw.json"]) == {
        "captions": ["prompt 1"],
        "origin": {
            "source": "pick_a_pic",
            "uri": f"{FILE}#0/1",
            "image_uid": "uid-1-1",
            "model": "dreamlike",
            "ranking": 1,
        },
    }
    assert json.loads(raws[2].fields["raw.json"])["origin"]["tie"] is True


def test_ties_may_be_dropped_and_splits_chosen(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(0, picture, 0.5), row(1, picture, 1.0)])
    write(tmp_path, [row(2, picture, 1.0)], "data/validation-00000-of-00014-aa.parquet")
    write(tmp_path, [row(3, picture, 1.0)], "data/validation_unique-00000-of-00001-aa.parquet")
    assert [r.fields["raw"] for r in scan(tmp_path, ties="drop")] == [picture(2)]
    assert [r.fields["raw"] for r in scan(tmp_path, split="validation")] == [picture(4)]


def test_read_finds_rows_again_in_any_order(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(n, picture, n % 2) for n in range(40)])
    raws = scan(tmp_path)
    chosen = [raws[n] for n in (37, 2, 3, 0)]
    again = list(source(tmp_path).read([r.address for r in chosen], {"raw", "raw.json"}))
    assert sorted(again, key=lambda r: r.address.uri) == sorted(chosen, key=lambda r: r.address.uri)
    (bare,) = source(tmp_path).read([raws[5].address], {"raw"})
    assert set(bare.fields) == {"raw"}


def test_a_bucket_reads_like_a_folder(tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]) -> None:
    write(tmp_path, [row(n, picture, n % 2) for n in range(6)])
    uri = uploaded(tmp_path)
    raws = scan(uri)
    assert raws == scan(tmp_path)
    assert list(source(uri).read([r.address for r in raws], {"raw", "raw.json"})) == raws


def test_rows_that_a_column_marks_unsafe_are_dropped(tmp_path: Path, picture: Picture) -> None:
    schema = SCHEMA.append(pa.field("nsfw", pa.bool_()))
    write(tmp_path, [row(n, picture, 1.0, nsfw=n == 1) for n in range(3)], schema=schema)
    assert [r.fields["raw"] for r in scan(tmp_path)] == [picture(0), picture(4)]


def test_oddities_become_errors_or_empty_captions(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(0, picture, 1.0, jpg_0=None), row(1, picture, 1.0, caption=None)])
    first, second = scan(tmp_path)
    assert "jpg_0" in str(first.error)
    assert json.loads(second.fields["raw.json"])["captions"] == []


def test_columns_of_other_types_are_warnings_or_errors(tmp_path: Path, picture: Picture) -> None:
    kinds = {"caption": pa.int64(), "jpg_0": pa.string(), "image_1_uid": pa.binary()}
    schema = pa.schema([pa.field(f.name, kinds.get(f.name, f.type)) for f in SCHEMA])
    odd = {"caption": 5, "jpg_0": "a.jpg", "image_1_uid": b"\xff"}
    write(tmp_path, [row(0, picture, 1.0, **odd), row(1, picture, 0.0, **odd)], schema=schema)
    first, second = scan(tmp_path)
    assert "jpg_0, has no bytes" in str(first.error)
    about = json.loads(second.fields["raw.json"])
    assert about["captions"] == []
    assert about["origin"]["warnings"] == ["caption: a caption is not a text but int"]
    assert "image_uid" not in about["origin"]


def test_a_file_damaged_since_it_was_scanned_is_an_error_of_its_images(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(n, picture, 1.0) for n in range(6)])
    raws = scan(tmp_path)
    damaged = bytearray((tmp_path / FILE).read_bytes())
    start = pq.ParquetFile(tmp_path / FILE).metadata.row_group(0).column(9).data_page_offset
    damaged[start : start + 200] = b"\xff" * 200
    (tmp_path / FILE).write_bytes(damaged)
    found = {raw.address.uri: raw for raw in source(tmp_path).read([r.address for r in raws], {"raw", "raw.json"})}
    assert ["damaged" in str(found[raw.address.uri].error) for raw in raws] == [True] * 4 + [False] * 2
    assert found[raws[4].address.uri] == raws[4]
    for footer in (b"PAR1 but cut", b"\xff" * 60 + (40).to_bytes(4, "little") + b"PAR1"):
        (tmp_path / FILE).write_bytes(b"PAR1" + footer)
        again = list(source(tmp_path).read([r.address for r in raws], {"raw"}))
        assert ["not a parquet file" in str(raw.error) for raw in again] == [True] * 6
        assert ["not a parquet file" in str(raw.error) for raw in scan(tmp_path)] == [True]


def test_damaged_files_are_errors_and_others_go_on(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(n, picture, 1.0) for n in range(6)])
    damaged = bytearray((tmp_path / FILE).read_bytes())
    start = pq.ParquetFile(tmp_path / FILE).metadata.row_group(0).column(9).data_page_offset
    damaged[start : start + 200] = b"\xff" * 200
    (tmp_path / FILE).write_bytes(damaged)
    (tmp_path / "data" / "train-00001-of-00645-cc.parquet").write_bytes(b"PAR1 but cut")

    raws = scan(tmp_path)

    assert [(r.address.uri, r.error is None) for r in raws] == [
        (f"{FILE}#0", False),
        (f"{FILE}#1/0", True),
        (f"{FILE}#1/1", True),
        ("data/train-00001-of-00645-cc.parquet", False),
    ]


def test_a_row_or_file_that_is_gone_is_an_error(tmp_path: Path, picture: Picture) -> None:
    write(tmp_path, [row(n, picture, 1.0) for n in range(6)])
    addresses = [r.address for r in scan(tmp_path)]
    write(tmp_path, [row(0, picture, 1.0)])
    found = {r.address.uri: r.error for r in source(tmp_path).read(addresses, {"raw"})}
    assert len(found) == 6
    assert [uri for uri, error in found.items() if error is None] == [f"{FILE}#0/0"]
    (tmp_path / FILE).unlink()
    assert all(r.error for r in source(tmp_path).read(addresses, {"raw"}))


def test_what_was_expected_is_said(tmp_path: Path, picture: Picture) -> None:
    with pytest.raises(SourceError, match=r"train-\*\.parquet"):
        list(source(tmp_path).items())
    pictureless = pa.schema([f for f in SCHEMA if f.name not in ("jpg_0", "jpg_1")])
    write(tmp_path, [row(0, picture, 1.0)], schema=pictureless)
    with pytest.raises(SourceError, match="no column jpg_0, jpg_1"):
        scan(tmp_path)
