"""That what is damaged of a version is told with its remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sluice.preprocess.version.manifest import DamagedVersion, UnknownVersion, read_version, table_rows
from tests.preprocess.builds import build_here, config_here, write_photos


def test_a_cut_table_or_alias_is_named_with_its_remedy(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    table = tmp_path / "out" / version.prefix / "shards.parquet"
    table.write_bytes(table.read_bytes()[:50])
    with pytest.raises(DamagedVersion, match=r"shards\.parquet is damaged .*delete it"):
        list(table_rows(build.storage, version, "shards.parquet"))
    alias = tmp_path / "out" / "datasets" / version.dataset / "aliases" / "latest.json"
    alias.write_text('{"ver')
    with pytest.raises(DamagedVersion, match=r"latest\.json is damaged .*name a version by its id"):
        read_version(build.storage, version.dataset)
    assert read_version(build.storage, version.dataset, version.id).id == version.id


def test_a_mistyped_data_set_is_told_those_that_are_there(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    with pytest.raises(UnknownVersion, match=rf"'smal' .*it has none yet: .*data sets there: {version.dataset}"):
        read_version(build.storage, "smal")


@pytest.mark.parametrize("text", ["[]", "3", '{"counts": {}}'])
def test_what_is_json_and_no_manifest_or_alias_is_named_too(tmp_path: Path, text: str) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    (tmp_path / "out" / version.prefix / "manifest.json").write_text(text)
    with pytest.raises(DamagedVersion, match=r"manifest\.json is damaged \((Input should|bytes: ).*run the same build"):
        read_version(build.storage, version.dataset)
    (tmp_path / "out" / "datasets" / version.dataset / "aliases" / "latest.json").write_text(text)
    with pytest.raises(DamagedVersion, match=r"latest\.json is damaged"):
        read_version(build.storage, version.dataset)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"counts": 3}, "counts: Input should be an object"),
        ({"bytes": "12"}, "bytes: Input should be a valid integer"),
        ({"shards": [[0, "a"]]}, "shards.0.2: Field required"),
        ({"stages": [{"name": "image"}]}, "stages.0.version: Field required"),
        ({"source": {"kind": None}}, "source.kind: Input should be a valid string"),
    ],
)
def test_a_manifest_of_wrong_values_is_named_with_the_first_of_them(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    file = tmp_path / "out" / version.prefix / "manifest.json"
    file.write_text(json.dumps({**version.manifest, **wrong}))
    with pytest.raises(DamagedVersion, match=rf"manifest\.json is damaged \({re.escape(said)}\); .*run the same build"):
        read_version(build.storage, version.dataset)
