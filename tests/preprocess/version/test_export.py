"""Exports elsewhere write over nothing that is not theirs, and what is merged already is told from what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.infra.local import LocalStorage
from sluice.preprocess.version.export import (
    ExportUnit,
    OccupiedFolder,
    export_units,
    export_version,
    is_whole,
    merged_already,
)
from sluice.preprocess.version.manifest import table_rows
from tests.preprocess.builds import BuiltVersion, write_photo

Built = Callable[..., BuiltVersion]


def export(made: BuiltVersion, to: Path) -> list[str]:
    build, version = made
    export_version(build.storage, version, LocalStorage(to), lambda _: None)
    return sorted(path.name for path in to.iterdir())


def test_an_export_may_be_repeated_where_it_lies(built: Built, tmp_path: Path) -> None:
    names = export(built(), tmp_path / "new")
    assert names == [
        "README.md",
        "export.json",
        *(f"small-0000{place}.{suffix}" for place in range(3) for suffix in ("parquet", "tar")),
    ]
    (tmp_path / "new" / "small-00001.tar").unlink()
    assert export(built(), tmp_path / "new") == names


def test_an_export_does_not_lie_where_it_would_be_collected(built: Built, tmp_path: Path) -> None:
    with pytest.raises(OccupiedFolder, match=r"lies among the outputs of stages.*--to a folder elsewhere"):
        export(built(), tmp_path / "out" / "stages" / "public")
    assert not (tmp_path / "out" / "stages" / "public").exists()


@pytest.mark.parametrize("name", ["README.md", "photo.jpg", "other-00000.tar", "sub/manifest.json"])
def test_an_export_goes_to_no_folder_that_holds_something_else(built: Built, tmp_path: Path, name: str) -> None:
    stranger = tmp_path / "taken" / name
    stranger.parent.mkdir(parents=True)
    stranger.write_text("mine")
    with pytest.raises(OccupiedFolder, match=f"taken holds {name}, which is no part of this export"):
        export(built(), tmp_path / "taken")
    assert [path for path in (tmp_path / "taken").rglob("*") if path.is_file()] == [stranger]
    assert stranger.read_text() == "mine"


def test_an_export_goes_neither_to_the_source_nor_into_a_version(built: Built, tmp_path: Path) -> None:
    made = built()
    with pytest.raises(OccupiedFolder):
        export(made, tmp_path / "photos")
    with pytest.raises(OccupiedFolder, match=r"manifest\.json"):
        export(made, tmp_path / "out" / made[1].prefix)


def test_a_smaller_version_does_not_go_where_a_larger_one_lies(built: Built, tmp_path: Path) -> None:
    smaller = built()
    for seed in range(20, 24):
        write_photo(tmp_path / "photos", f"p{seed}", seed)
    export(built(), tmp_path / "new")
    with pytest.raises(OccupiedFolder, match=r"small-00003"):
        export(smaller, tmp_path / "new")


def units_of(made: BuiltVersion, tars: bool = True) -> list[ExportUnit]:
    build, version = made
    return export_units(version, list(table_rows(build.storage, version, "shards.parquet")), f"{version.prefix}/", tars)


def test_only_what_is_there_as_it_was_written_is_merged_already(built: Built, tmp_path: Path) -> None:
    build, version = made = built()
    units = units_of(made)
    one, two, three = (tmp_path / "out" / unit.target for unit in units)
    assert [m.target for m in merged_already(build.storage, version, units)] == [unit.target for unit in units]
    one.with_name(f"{one.name}.tar").unlink()
    two.with_name(f"{two.name}.tar").write_bytes(b"short")
    assert [m.target for m in merged_already(build.storage, version, units)] == [units[2].target]
    three.with_name(f"{three.name}.parquet").unlink()
    assert merged_already(build.storage, version, units) == []
    (three.parent / "export.json").write_text("[{")
    assert merged_already(build.storage, version, units) == []


def test_a_version_that_has_no_tars_is_whole_until_tars_are_wanted(built: Built) -> None:
    build, version = made = built(export="never")
    assert is_whole(build.storage, version, units_of(made, tars=False))
    assert not is_whole(build.storage, version, units_of(made))


@pytest.mark.parametrize("name", ["README.md", "shards.parquet", "quarantine.parquet", "export.json", "manifest.json"])
def test_a_version_that_lost_a_file_of_its_own_is_not_whole(built: Built, tmp_path: Path, name: str) -> None:
    build, version = made = built()
    units = units_of(made)
    assert is_whole(build.storage, version, units)
    (tmp_path / "out" / version.prefix / name).unlink()
    assert not is_whole(build.storage, version, units)
