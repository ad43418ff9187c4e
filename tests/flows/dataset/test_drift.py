"""`sluice dataset drift`: what it says, writes and ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluice.flows.cli import app
from sluice.preprocess.version.manifest import UnknownVersion, Version
from tests.preprocess.builds import CHEAP_STAGES, build_here, config_here, write_photo, write_photos


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Version]]:
    """Two weeks: nine photos, then ten with other edges."""
    folder = tmp_path_factory.mktemp("weeks")
    write_photos(folder / "photos")
    _, first = build_here(config_here(folder))
    write_photo(folder / "photos", "p20", 20)
    _, second = build_here(config_here(folder, stages={**CHEAP_STAGES, "canny": {"low": 5, "high": 10}}))
    return folder, [first, second]


def drift(folder: Path, *words: str) -> Result:
    place = ("--out", str(folder / "out"), "--set", "name=small")
    return CliRunner().invoke(app, ["dataset", "drift", *place, *words], catch_exceptions=False)


def test_a_week_is_held_against_the_one_before(weeks: tuple[Path, list[Version]]) -> None:
    folder, (first, second) = weeks
    result = drift(folder)
    assert result.exit_code == 0, "without --fail-over it only tells"
    lines = result.output.splitlines()
    assert lines[:3] == [
        f"small {first.id} -> {second.id}: images 9 -> 10, records 9 -> 10, duplicates 0, quarantined 0, filtered 0",
        "records: 1 came, 9 made again",
        "stage canny: high 200.0 -> 10.0, low 100.0 -> 5.0",
    ]
    assert lines[-1].startswith("drifted: edge_density")
    page = Path(lines[-2])
    assert page == folder / "out" / second.prefix / "drift.html"
    assert "drifted: edge_density" in page.read_text()
    said = json.loads(page.with_name("drift.json").read_text())
    assert (said["before"], said["after"], said["drifted"]) == (first.id, second.id, ["edge_density"])
    assert json.loads(drift(folder, "--json").output) == said


def test_a_timetable_can_act_on_it(weeks: tuple[Path, list[Version]]) -> None:
    folder, (first, second) = weeks
    failed = drift(folder, "--fail-over", "0.3")
    assert failed.exit_code == 1
    assert failed.output.splitlines()[-1].startswith("drifted: edge_density")
    assert drift(folder, "--fail-over", "100").exit_code == 0
    for words, said in (
        (["--version", first.id], "nothing came before this version, so nothing can have drifted"),
        (["--against", "latest"], "nothing drifted: it is the same version"),
    ):
        result = drift(folder, "--fail-over", "0", *words)
        assert result.exit_code == 0
        assert result.output.splitlines()[-1] == said
    assert drift(folder, "--version", first.id, "--against", second.id, "--fail-over", "0.3").exit_code == 1


def test_what_is_not_there_is_said(weeks: tuple[Path, list[Version]], tmp_path: Path) -> None:
    folder, (first, second) = weeks
    with pytest.raises(UnknownVersion, match=f"no version 'nope'; there are: .*{first.id}"):
        drift(folder, "--against", "nope")
    with pytest.raises(UnknownVersion, match="it has none yet: run `sluice dataset build`"):
        drift(tmp_path)
    assert second.id in drift(folder, "--page", str(tmp_path / "here.html")).output
    assert second.id in (tmp_path / "here.html").read_text()
