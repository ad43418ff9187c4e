"""A damaged file of an index or a plan is named with what mends it, and that does mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.infra.tables import DamagedTable
from tests.preprocess.builds import build_here, config_here, write_photo, write_photos


@pytest.mark.parametrize(
    ("damaged", "goes"),
    [("index/*/part-*.parquet", []), ("datasets/small/plan/rows-*.parquet", ["datasets/small/plan/plan-*.json"])],
)
def test_what_is_cut_is_named_and_deleting_it_as_told_mends_the_build(
    damaged: str, goes: list[str], tmp_path: Path
) -> None:
    write_photos(tmp_path / "photos")
    build_here(config_here(tmp_path))
    out = tmp_path / "out"
    (file,) = out.glob(damaged)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    write_photo(tmp_path / "photos", "new", 100)
    with pytest.raises(DamagedTable, match=rf"{file.name} is damaged .*delete it .*build again"):
        build_here(config_here(tmp_path))
    for path in (file, *(own for pattern in goes for own in out.glob(pattern))):
        path.unlink()
    _, version = build_here(config_here(tmp_path))
    assert version.manifest["counts"]["images"] == version.manifest["counts"]["records"] == 10
