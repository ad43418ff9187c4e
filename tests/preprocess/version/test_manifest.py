"""That what is damaged of a version is told with its remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sluice.preprocess.version.manifest import (
    DamagedVersion,
    UnknownVersion,
    alias_history,
    point,
    read_version,
    table_rows,
)
from tests.preprocess.builds import build_here, config_here, write_photos


def test_a_cut_table_or_alias_is_named_with_its_remedy(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    table = tmp_path / "out" / version.prefix / "shards.parquet"
    table.write_bytes(table.read_bytes()[:50])
    with pytest.raises(DamagedVersion, match=r"shards\.parquet is damaged .*the build that made it writes it anew"):
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
    with pytest.raises(DamagedVersion, match=r"manifest\.json is damaged \((should|bytes: ).*the build that made it"):
        read_version(build.storage, version.dataset)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "should be an object"),
        ("", "Invalid JSON"),
        ('{"version": null}', "version: should be a valid string"),
        ('{"version": "../../x"}', "version: String should match pattern"),
        ('{"version": "0123456789ab", "before": 5}', "before: should be a valid array"),
    ],
)
def test_what_is_json_and_no_alias_is_named_and_is_no_history(tmp_path: Path, text: str, said: str) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    (tmp_path / "out" / "datasets" / version.dataset / "aliases" / "latest.json").write_text(text)
    with pytest.raises(DamagedVersion, match=rf"latest\.json is damaged \({re.escape(said)}.*name a version by its id"):
        read_version(build.storage, version.dataset)
    assert alias_history(build.storage, version.dataset) == []
    point(build.storage, version, "latest")
    assert read_version(build.storage, version.dataset).id == version.id


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"counts": 3}, "counts: should be an object"),
        ({"bytes": "12"}, "bytes: should be a valid integer"),
        ({"shards": [[0, "a"]]}, "shards.0.2: Field required"),
        ({"stages": [{"name": "image"}]}, "stages.0.version: Field required"),
        ({"source": {"kind": None}}, "source.kind: should be a valid string"),
    ],
)
def test_a_manifest_of_wrong_values_is_named_with_the_first_of_them(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    write_photos(tmp_path / "photos")
    build, version = build_here(config_here(tmp_path))
    file = tmp_path / "out" / version.prefix / "manifest.json"
    file.write_text(json.dumps({**version.manifest, **wrong}))
    with pytest.raises(
        DamagedVersion, match=rf"manifest\.json is damaged \({re.escape(said)}\); the build that made it"
    ):
        read_version(build.storage, version.dataset)
