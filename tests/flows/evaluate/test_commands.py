"""Where the command keeps figures, and the report what it makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.flows.evaluate.commands import _apart, app
from sluice.flows.evaluate.results import read
from sluice.inference.metrics.registry import METRICS

SMALL = ["--protocol", "unite", "--scenes", "2", "--seeds", "1", "--steps", "1"]


def run(*words: str) -> str:
    return CliRunner().invoke(app, words, catch_exceptions=False).output


def test_what_is_not_the_whole_measure_of_tabletop_leaves_docs_as_they_are(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(*SMALL, "--base", str(untrained), "--place", "of [v1]")
    results = Path("of [v1]/results", untrained.name)
    assert read(results / "unite.json").settings["scenes"] == 2
    assert f"{results}; `sluice evaluate report --results {results}` makes" in said
    run(*SMALL[:2], "--quick", *SMALL[2:], "--base", str(untrained), "--place", "of [v1]")
    assert Path(f"{results}-quick", "unite.json").is_file()
    assert not Path("docs").exists()
    monkeypatch.chdir(results)
    text, page = run("report", "--results", ".", "--place", str(tmp_path / "page")).split("\n")[:2]
    assert Path(text).parts[-2:] == ("results", f"{untrained.name}.md")
    assert "of the examples' pictures are not whole in" in run(
        "report", "--results", ".", "--place", str(tmp_path / "page")
    )
    assert "not whole" not in run("report", "--results", ".", "--place", str(tmp_path / "of [v1]"))
    shown = next(iter(read(Path("unite.json")).examples[0].pictures.values()))
    (tmp_path / "of [v1]" / "pictures" / f"{shown}.png").write_bytes(b"damaged")
    assert "1 of the examples' pictures are not whole" in run(
        "report", "--results", ".", "--place", str(tmp_path / "of [v1]")
    )
    assert Path(page) == tmp_path / "page" / f"{untrained.name}.html"
    assert Path(text).is_file()
    assert Path(page).is_file()


def test_every_metric_is_listed_with_what_its_numbers_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = run("metrics").splitlines()
    assert {row.split()[0] for row in rows[1:] if row[1:2].strip()} >= METRICS.keys()
    (fid,) = (row for row in rows if row.split()[0] == "fid")
    assert fid.split()[-4:] == ["to", "inf", "lower", "100"]


def test_networks_of_ones_own_and_quick_runs_on_data_have_folders_of_their_own() -> None:
    assert _apart("tabletop", "out/networks", quick=False) == "tabletop-networks"
    assert _apart("/home/mine", "tabletop", quick=True) == "mine-quick"
    assert _apart("photos-1a2b3c4d5e6f", "tabletop", quick=True) == "photos-1a2b3c4d5e6f-quick"
