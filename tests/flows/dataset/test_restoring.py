"""What was deleted from a version comes back with the next build, and nothing else is written for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.preprocess.planning.build import Build
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version
from tests.flows.conftest import THIN, config_for, tree, write_pictures

Building = Callable[..., tuple[Build, Version, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("restoring")
    write_pictures(made / "in", range(12))
    return made


def build_in(folder: Path, build: Building, **values: Any) -> tuple[Build, Version, str]:
    stages = {"image": THIN["image"]}
    return build(config_for(folder / "in", folder / "out", stages=stages, shard_size=4, workers=1, **values))


@pytest.mark.parametrize(
    "name", ["README.md", "shards.parquet", "export.json", "manifest.json", "made-00001.tar", "made-00001.parquet"]
)
def test_a_deleted_file_of_a_version_comes_back(build: Building, folder: Path, name: str) -> None:
    made, version, _ = build_in(folder, build)
    before = tree(folder / "out")
    file = folder / "out" / version.prefix / name
    tars = {tar: tar.stat().st_ino for tar in file.parent.glob("*.tar") if tar.stem != file.stem}
    file.unlink()
    if name not in ("manifest.json", "export.json"):
        (problem,) = verify(made.storage, version)
        assert problem.path == f"{version.prefix}/{name}"
        assert problem.remedy.startswith("run the same build again")
    build_in(folder, build)
    assert tree(folder / "out") == before
    if name != "export.json":  # without it nothing vouches for a tar
        assert {tar: tar.stat().st_ino for tar in tars} == tars
    assert verify(made.storage, version) == []


def test_tars_that_are_wanted_later_are_made_then(build: Building, folder: Path) -> None:
    _, version, _ = build_in(folder, build, name="later", export="never")
    made = folder / "out" / version.prefix
    assert list(made.glob("*.tar")) == []
    _, same, _ = build_in(folder, build, name="later", export="always")
    assert same.id == version.id
    assert len(list(made.glob("*.tar"))) == 3
