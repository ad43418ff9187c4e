"""The merged shards as others read them: plain webdataset, Hugging Face datasets, and parquet beside them."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
import yaml

from sluice.infra.page.render import render
from sluice.infra.storage import Storage
from sluice.preprocess.page.dataset import dataset_page, of_version
from sluice.preprocess.page.record import record_page
from sluice.preprocess.planning.build import Build
from sluice.preprocess.record import field_named
from sluice.preprocess.shards import write_shard
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version
from tests.flows.conftest import THIN, config_for, write_pictures
from tests.flows.records import Records, read_records
from tests.infra.weights.test_pickles import Evil

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
Building = Callable[..., tuple[Build, Version, str]]


@dataclass(frozen=True)
class Made:
    """A built version: its folder, its records by URI, and what its manifest says."""

    storage: Storage
    version: Version
    records: Records

    @property
    def folder(self) -> Path:
        return Path(self.storage.uri) / self.version.prefix

    @property
    def manifest(self) -> dict[str, Any]:
        return self.version.manifest


@pytest.fixture(scope="module")
def made(build: Building, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three shards; the first is empty, for its pictures are too long; records differ in what lies beside them."""
    folder = tmp_path_factory.mktemp("made")
    write_pictures(folder / "in", range(12))
    for seed in range(4):
        (folder / "in" / f"{seed:05}.txt").write_text("x" * 3000)
    (folder / "in" / "00005.txt").unlink()
    (folder / "in" / "00010.txt").write_bytes("né à Zürich\nborn".encode("latin-1"))
    (folder / "in" / "00011.json").write_text(json.dumps({"caption": "a caption", "license": "CC0", "score": 0.5}))
    (folder / "in" / "twin.jpg").write_bytes((folder / "in" / "00009.jpg").read_bytes())
    config = config_for(folder / "in", folder / "out", stages={**THIN, "brightness": {}}, shard_size=4, workers=2)
    built, version, _ = build(config)
    return Made(built.storage, version, read_records(folder / "out", version))


def by_key(records: Records) -> dict[str, dict[str, bytes]]:
    return {json.loads(fields["json"])["key"]: fields for fields in records.values()}


def test_a_stage_of_ones_own_is_in_the_shards(made: Made) -> None:
    assert made.manifest["counts"]["records"] == len(made.records) == 8
    for fields in made.records.values():
        assert fields.keys() == {"jpg", "txt", "json", "canny.png", "depth.png", "brightness.json"}
        image = field_named("jpg").decode(fields["jpg"])
        assert abs(json.loads(fields["brightness.json"]) - image.mean()) < 3  # as JPEG leaves it


def test_a_stage_of_ones_own_is_verified_and_shown(made: Made) -> None:
    assert verify(made.storage, made.version) == []
    key = next(iter(by_key(made.records)))
    whole = dataset_page(of_version(made.storage, made.version), WHEN)
    one = record_page(made.storage, made.version, key, WHEN)
    assert b"brightness.json" in render(whole)
    assert b"brightness.json" in render(one)


def snippet(text: str) -> str:
    """The first Python in a Markdown text."""
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    return code[1]


def test_plain_webdataset_reads_them_as_the_card_says(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippet of the card itself is what runs, and every field comes out of it as a stage would read it."""
    monkeypatch.chdir(made.folder)
    names: dict[str, Any] = {}
    exec(snippet((made.folder / "README.md").read_text()), names)
    loaded = {sample["__key__"]: sample for sample in names["records"]}
    raw = by_key(made.records)
    assert loaded.keys() == raw.keys()
    for key, sample in loaded.items():
        assert {name for name in sample if not name.startswith("__")} == raw[key].keys()
        for name, data in raw[key].items():
            expected = field_named(name).decode(data)
            assert np.array_equal(sample[name], expected), name
            assert getattr(sample[name], "dtype", None) == getattr(expected, "dtype", None), name


def test_a_pickle_put_into_a_shard_is_not_run_by_who_reads_it_as_the_card_says(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fields = {"jpg": next(iter(made.records.values()))["jpg"], "x.pyd": pickle.dumps(Evil(tmp_path / "ran"))}
    write_shard(tmp_path / "made-00000.tar", [("00000000000000aa", fields)])
    names: dict[str, Any] = {}
    exec(snippet((made.folder / "README.md").read_text()), names)
    with pytest.raises(webdataset.autodecode.DecodingError) as refused:
        list(names["records"])
    assert refused.value.k == "x.pyd"
    assert not (tmp_path / "ran").exists()


def test_the_documentation_reads_them_as_the_card_does(made: Made) -> None:
    documented = snippet((Path(__file__).parents[3] / "docs" / "records.md").read_text())
    assert documented.replace("photos", "made") == snippet((made.folder / "README.md").read_text())


def test_webdataset_without_decoding_gives_our_bytes(made: Made) -> None:
    shards = [str(tar) for tar in sorted(made.folder.glob("*.tar"))]
    loaded = {s.pop("__key__"): s for s in webdataset.WebDataset(shards, shardshuffle=False)}
    bare = {key: {n: d for n, d in s.items() if not n.startswith("__")} for key, s in loaded.items()}
    assert bare == by_key(made.records)
    assert list(loaded) == sorted(loaded, key=lambda key: (loaded[key]["__url__"], key))


HUGGING_FACE = """
import io, json, sys
import numpy, PIL.Image
from datasets import load_dataset, load_dataset_builder

folder, way = sys.argv[1:]
if way == "card":
    rows = load_dataset(folder, split="train")
else:
    features = load_dataset_builder(folder).info.features if way == "whole" else None
    files = {"train": folder + "/*.tar"}
    rows = load_dataset("webdataset", data_files=files, split="train", features=features, streaming=way == "stream")
for row in rows:
    depth = numpy.asarray(row["depth.png"])
    print(json.dumps([row["__key__"], row["txt"], row["json"]["origin"]["uri"], list(row["jpg"].size), int(depth.max()),
                      round(row["brightness.json"], 6), sorted(name for name in row if not name.startswith("__"))]))
"""


@pytest.mark.parametrize("way", ["whole", "stream", "card"])
def test_hugging_face_datasets_reads_them_offline(made: Made, tmp_path: Path, way: str) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_DATASETS_CACHE": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", HUGGING_FACE, str(made.folder), way], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert sorted(map(json.loads, ran.stdout.splitlines())) == sorted(map(row_of, made.records.values()))


def row_of(fields: dict[str, bytes]) -> list[Any]:
    """A record as `HUGGING_FACE` prints it."""
    value = {name: field_named(name).decode(data) for name, data in fields.items()}
    about, height_width = value["json"], value["jpg"].shape[:2]
    numbers = [list(height_width[::-1]), int(value["depth.png"].max()), round(value["brightness.json"], 6)]
    return [about["key"], value["txt"], about["origin"]["uri"], *numbers, sorted(fields)]


def test_the_parquet_beside_a_shard_tells_of_the_same_records(made: Made) -> None:
    rows: list[dict[str, Any]] = []
    for tar in sorted(made.folder.glob("*.tar")):
        of_shard = pq.read_table(tar.with_suffix(".parquet")).to_pylist()
        keys = {name.partition(".")[0] for name in member_names(tar)}
        assert {row["key"] for row in of_shard} == keys
        rows += of_shard
    assert {row["uri"] for row in rows} == made.records.keys()
    for row in rows:
        fields = made.records[row["uri"]]
        image, edges = field_named("jpg").decode(fields["jpg"]), field_named("canny.png").decode(fields["canny.png"])
        assert (row["height"], row["width"]) == image.shape[:2]
        assert row["caption"] == fields["txt"].decode()
        assert row["edge_density"] == pytest.approx((edges > 0).mean(), abs=1e-6)
        assert row["split"] == json.loads(fields["json"])["split"]


def member_names(tar: Path) -> Iterator[str]:
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(tar.read_bytes())) as opened:
        yield from opened.getnames()


def test_the_card_has_a_yaml_head_and_tells_what_is_in_it(made: Made) -> None:
    _, head, body = (made.folder / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(head)["configs"] == [{"config_name": "default", "data_files": "made-*.tar"}]
    columns = yaml.safe_load(head)["dataset_info"]["features"]
    assert {"name": "depth.png", "dtype": "image"} in columns
    assert {"name": "brightness.json", "dtype": "json"} in columns
    for name in ("jpg", "txt", "json", "canny.png", "depth.png", "brightness.json"):
        assert f"| `{name}` | {field_named(name).describes} |" in body
    assert "Records: 8. Shards: 3. Images: 13, of these duplicates: 1, quarantined: 0, filtered out: 4." in body
    listed = json.loads((made.folder / "export.json").read_text())
    assert [entry["records"] for entry in listed] == [0, 4, 4]
