"""Merged shards, as anybody may lay them out, as training's data; what `dataset build` made is trained on elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.flows.training.data import BUILT, BuiltData, MergedData, fields_for, open_data, require_fields
from sluice.infra.storage import storage
from sluice.preprocess.shards import write_shard
from sluice.preprocess.version.manifest import UnknownVersion, Version
from sluice.training.data import MissingRecords
from tests.faults.servers import S3Server


def write_merged(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(2):
        keys = [f"{number}{row}" for row in range(4)]
        write_shard(folder / f"{number}.tar", ((key, {"jpg": b"j", "txt": key.encode()}) for key in keys))
        rows = [{"key": key, "split": "validation" if key.endswith("3") else "train"} for key in keys]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{number}.parquet")
    return folder


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    return write_merged(tmp_path)


def test_merged_shards_are_read_by_split(merged: Path) -> None:
    data = open_data(str(merged))
    assert data.fields == {"jpg", "txt"}
    assert [shard.keys for shard in data.split("train", ["txt"]).shards] == [("00", "01", "02"), ("10", "11", "12")]
    held = data.split("validation", ["txt"])
    assert held.read(held.shards[1], ["txt"]) == {"13": {"txt": b"13"}}


@pytest.mark.parametrize(
    ("uri", "out", "name", "version"),
    [
        ("datasets/photos", "", "photos", None),
        ("/datasets/photos/", "/", "photos", None),
        ("w/out/datasets/photos/v1", "w/out/", "photos", "v1"),
        ("s3://bucket/datasets/photos", "s3://bucket/", "photos", None),
        ("s3://datasets/out/datasets/photos", "s3://datasets/out/", "photos", None),
    ],
)
def test_a_built_data_set_is_known_by_its_path(uri: str, out: str, name: str, version: str | None) -> None:
    built = BUILT.fullmatch(uri)
    assert built is not None
    assert (built["out"], built["name"], built["version"]) == (out, name, version)


@pytest.mark.parametrize(
    "uri", ["w/my-datasets/photos", "my-datasets/photos", "s3://datasets/photos", "s3://b/a-datasets/x"]
)
def test_parts_of_a_name_are_no_data_set(uri: str) -> None:
    assert BUILT.fullmatch(uri) is None


@pytest.mark.parametrize("folder", ["my-datasets/photos", "mnt/datasets/photos", "mnt/datasets/photos/small"])
def test_merged_shards_are_taken_wherever_they_lie(tmp_path: Path, folder: str) -> None:
    data = open_data(str(write_merged(tmp_path / folder)))
    assert isinstance(data, MergedData)
    assert data.split("train", ["txt"]).counts == (3, 3)


@pytest.mark.parametrize("folder", ["my-datasets/photos", "datasets/photos"])
def test_merged_shards_are_taken_wherever_they_lie_in_a_bucket(
    tmp_path: Path, folder: str, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    place = storage(f"s3://{moto_server.new_bucket()}/{folder}")
    for file in write_merged(tmp_path).iterdir():
        place.upload(file.name, file)
    held = open_data(place.uri).split("validation", ["txt"])
    assert held.read(held.shards[1], ["txt"]) == {"13": {"txt": b"13"}}


def test_a_version_that_is_not_whole_is_not_taken_for_merged_shards(tmp_path: Path) -> None:
    data = tmp_path / "datasets" / "photos"
    write_merged(data / "0123")
    with pytest.raises(UnknownVersion):
        open_data(str(data))
    (data / "plan").mkdir()
    (data / "plan" / "plan.json").write_text("{}")
    with pytest.raises(UnknownVersion, match=r"has no version '0123'"):
        open_data(str(data / "0123"))


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
    write_shard(merged / "1.tar", [("10", {"jpg": b"j", "txt": b"10"})])
    assert open_data(str(merged)).digest != before


def test_what_is_not_there_is_said(merged: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingRecords, match=r"micontrolnet is trained on canny.png, txt, and here lacks canny.png"):
        require_fields(open_data(str(merged)), "here", ["txt", "canny.png"], "micontrolnet")
    with pytest.raises(MissingRecords, match="holds no shards"):
        open_data(str(tmp_path / "nowhere"))
    with pytest.raises(UnknownVersion, match=r"data set 'photos' in .* has no version 'latest'"):
        open_data(str(tmp_path / "datasets" / "photos"))


def test_a_tar_without_a_parquet_is_named_and_what_to_do(merged: Path) -> None:
    (merged / "1.parquet").unlink()
    told = re.escape(f"{merged}/1.parquet is not there") + ".*`sluice dataset export` writes both"
    with pytest.raises(MissingRecords, match=told):
        open_data(str(merged))


def test_a_later_tar_without_a_field_is_told_before_training(merged: Path) -> None:
    write_shard(merged / "1.tar", [("10", {"txt": b"10"})])
    with pytest.raises(MissingRecords, match=re.escape(f"{merged}/1.tar lacks jpg")):
        require_fields(open_data(str(merged)), "here", ["jpg", "txt"], "micontrolnet")
