"""The papers' own figures, beside ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.evaluate.published import Published, beside, published
from sluice.flows.evaluate.results import page, read

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def test_tables_stand_beside_figures_that_there_are() -> None:
    for protocol, tables in published().items():
        figures = [own.figure for own in read(RESULTS / f"{protocol}.json").estimates]
        assert {own.beside for own in tables} <= {"", *figures}, protocol


def test_the_page_has_a_papers_table_behind_ours_of_the_same_figure() -> None:
    lines = [
        line for line in page([read(RESULTS / "amdm.json")]).splitlines() if line.startswith(("### ", "Published"))
    ]
    (at,) = (at for at, line in enumerate(lines) if line.startswith("### Instance mIoU"))
    assert lines[at + 1].startswith("Published, AMDM, Table 1 (mIoU)")
    assert lines[at - 1].startswith("Published, AMDM, Table 1 (Instance Success Rate)")


def test_what_stands_beside_no_figure_of_ours_stands_behind_all() -> None:
    assert list(beside("amdm", ["instance mIoU"])) == ["", "instance mIoU"]
    assert beside("silence", []) == {}


def test_a_row_without_a_number_for_every_column_is_an_error() -> None:
    about = {"source": "A paper", "data": "some", "figure": "FID", "better": "lower", "columns": ("a", "b")}
    assert Published.model_validate({**about, "rows": {"ours": ("1.50", "null")}}).cells() == [("ours", "1.50", "")]
    with pytest.raises(ValueError, match="A paper: ours has 1 numbers for 2 columns"):
        Published.model_validate({**about, "rows": {"ours": ("1.5",)}})
