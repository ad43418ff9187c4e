"""A version in which nothing is wrong yet, made once and copied."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.infra.local import LocalStorage
from tests.preprocess.builds import BuiltVersion, build_here, config_here, write_photos


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> BuiltVersion:
    folder = tmp_path_factory.mktemp("original")
    write_photos(folder / "photos")
    return build_here(config_here(folder))


@pytest.fixture
def whole(original: BuiltVersion, tmp_path: Path) -> BuiltVersion:
    """A copy of a version in which nothing is wrong yet."""
    build, version = original
    shutil.copytree(build.storage.uri, tmp_path / "copy")
    return replace(build, storage=LocalStorage(tmp_path / "copy")), version
