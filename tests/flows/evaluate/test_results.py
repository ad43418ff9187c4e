"""Verdicts and the page."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sluice.flows.evaluate.claims import Claim, Estimate, Results, by_case, judged
from sluice.flows.evaluate.results import keep, page, read
from sluice.inference.metrics.bootstrap import Interval
from sluice.infra.settings import ConfigError

ONE = Estimate("edge F1", "canny", "base alone", "share", Interval(0.5, 0.25, 0.75), 32)
FOUND = Results("made", {"net": "abc"}, {"steps": 2}, [ONE], [Claim("It does.", "Always.", {"canny": "holds"})])


def test_a_claim_holds_where_it_does_everywhere() -> None:
    assert Claim("", "", {"a": "holds", "b": "holds"}).verdict == "holds"
    assert Claim("", "", {"a": "holds", "b": "not here"}).verdict == "in part"
    assert Claim("", "", {"a": "not here"}).verdict == "not here"
    assert [judged(True, True), judged(False, True), judged(False, False)] == ["holds", "in part", "not here"]


def test_a_case_counts_once_however_many_pictures_it_has() -> None:
    assert by_case(torch.tensor([0.0, 2.0, 5.0, 7.0]), 2).tolist() == [1, 6]


def test_the_page_has_a_row_for_a_method_and_a_column_for_a_condition(tmp_path: Path) -> None:
    keep(FOUND, tmp_path / "made.json")
    shown = page([read(tmp_path / "made.json")]).splitlines()
    assert "| It does. | **holds** | canny: holds |" in shown
    assert shown[shown.index("### Edge F1 (share), n = 32") + 2 :][:3] == [
        "| | canny |",
        "|---|---|",
        "| base alone | 0.5 (0.25 to 0.75) |",
    ]


def test_results_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"protocol": "training"}')
    with pytest.raises(ConfigError, match=r"old.json holds no results of this version"):
        read(tmp_path / "old.json")
