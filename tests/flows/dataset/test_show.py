from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.dataset.show import show_dataset
from sluice.infra.local import LocalStorage
from sluice.infra.storage import StorageError, storage
from sluice.preprocess.page.record import UnknownRecord
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import UnknownVersion
from tests.faults.servers import S3Server
from tests.made_version import key_of, make_version


def config_at(out: str, source: Path | None = None) -> DatasetConfig:
    values = {"name": "made", "source": {"kind": "folder", "uri": str(source or "photos")}, "out": out}
    return DatasetConfig.model_validate({**values, "stages": {"image": {"size": 64, "min_side": 8}}})


def test_the_page_lies_beside_the_manifest(tmp_path: Path) -> None:
    version = make_version(LocalStorage(tmp_path), 5, large=32)
    path = show_dataset(config_at(str(tmp_path)), "latest", None, None)
    assert path == tmp_path / "datasets" / "made" / version.id / "page.html"
    assert path.with_name("manifest.json").exists()
    assert version.id in path.read_text()


def test_one_record_has_a_page_of_its_own(tmp_path: Path) -> None:
    version = make_version(LocalStorage(tmp_path), 5, large=32)
    path = show_dataset(config_at(str(tmp_path)), version.id[:6], key_of(3)[:10], tmp_path / "new" / "one.html")
    assert path == tmp_path / "new" / "one.html"
    beside = tmp_path / "datasets" / "made" / version.id / f"page-{key_of(3)}.html"
    assert beside.read_bytes() == path.read_bytes()


def test_from_s3_the_page_comes_here_too(
    tmp_path: Path, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    place = storage(f"s3://{moto_server.new_bucket()}/sets")
    version = make_version(place, 5, large=32)
    path = show_dataset(config_at(place.uri), "latest", None, None)
    assert path.absolute().parent == tmp_path
    assert place.read(f"{version.prefix}/page.html") == path.read_bytes()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    make_version(LocalStorage(tmp_path), 5, large=32)
    with pytest.raises(UnknownVersion, match="no version 'nope'"):
        show_dataset(config_at(str(tmp_path)), "nope", None, None)
    with pytest.raises(UnknownRecord):
        show_dataset(config_at(str(tmp_path)), "latest", "nope", None)


def test_a_version_without_its_tables_says_how_they_come_back(tmp_path: Path) -> None:
    version = make_version(LocalStorage(tmp_path), 5, large=32)
    (tmp_path / version.prefix / "shards.parquet").unlink()
    for key in (None, key_of(3)):
        with pytest.raises(StorageError, match=r"shards.parquet is missing.*the build that made it writes it anew"):
            show_dataset(config_at(str(tmp_path)), "latest", key, None)


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    make_version(LocalStorage(tmp_path), 5, large=32)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/page.html could not be written.*--page"):
        show_dataset(config_at(str(tmp_path)), "latest", None, tmp_path / "file" / "page.html")


def test_a_run_without_a_version_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"not a picture")
    path = show_dataset(config_at(str(tmp_path / "out"), tmp_path / "photos"), "latest", None, None)
    page = path.read_text()
    assert path == tmp_path / "out" / "datasets" / "made" / "run" / "page.html"
    assert "unfinished" in page
    assert "Records planned: 1." in page
