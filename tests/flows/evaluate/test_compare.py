"""Two runs side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sluice.flows.evaluate.claims import Claim, Estimate, Results
from sluice.flows.evaluate.compare import compare, differ
from sluice.flows.evaluate.each_case import cases_of, keep_cases
from sluice.flows.evaluate.protocols.silence import SAYS
from sluice.flows.evaluate.results import keep
from sluice.inference.metrics.bootstrap import Interval, of_mean
from sluice.infra.settings import ConfigError

ONE = Estimate("edge F1", "canny", "base alone", "share", Interval(0.5, 0.25, 0.75), 32)
FOUND = Results("silence", "Made", {"net": "abc"}, {"scenes": 32}, [ONE], [Claim(SAYS, "Always.", {"canny": "holds"})])
PLACE = "edge F1", "canny", "base alone"


def test_two_runs_stand_side_by_side_and_what_differs_is_marked(tmp_path: Path) -> None:
    other = replace(ONE, interval=Interval(0.8, 0.7, 0.9))
    near = replace(ONE, method="ControlNet", interval=Interval(0.6, 0.3, 0.9))
    keep(replace(FOUND, estimates=[ONE, replace(near, interval=ONE.interval)]), tmp_path / "a/silence.json")
    keep(replace(FOUND, estimates=[other, near], code="0.1.0"), tmp_path / "b/silence.json")
    shown = compare(tmp_path / "a", tmp_path / "b").splitlines()
    assert "| edge F1 | canny | base alone | 0.5 (0.25 to 0.75) | 0.8 (0.7 to 0.9) | **differs**, unpaired |" in shown
    assert "| edge F1 | canny | ControlNet | 0.5 (0.25 to 0.75) | 0.6 (0.3 to 0.9) |  |" in shown
    assert [line[-13:] for line in shown if line.startswith("The ")] == ["code unknown.", "; code 0.1.0."]
    assert any(
        line.startswith("1 of 2 figures differ. Of as many that are the same, 0.1 are expected") for line in shown
    )
    with pytest.raises(ConfigError, match="holds no results"):
        compare(tmp_path / "a", tmp_path)


def marked(one: torch.Tensor, other: torch.Tensor, folder: Path, scenes: int = 32) -> str:
    """The mark of a figure of two runs that kept its cases."""
    for name, values, count in (("a", one, 32), ("b", other, scenes)):
        estimate = replace(ONE, interval=of_mean(values))
        keep(replace(FOUND, settings={"scenes": count}, estimates=[estimate]), folder / f"{name}/silence.json")
        keep_cases({PLACE: values}, folder / f"{name}/silence.csv")
    (row,) = (line for line in compare(folder / "a", folder / "b").splitlines() if line.startswith("| edge F1"))
    return row.split("|")[-2].strip()


def test_the_same_cases_are_compared_by_pairs(tmp_path: Path) -> None:
    """Each of them is a little better, by far less than cases are apart."""
    one = torch.rand(32, generator=torch.Generator().manual_seed(0))
    assert marked(one, one + 0.01, tmp_path) == "**differs**"
    assert marked(one, one + 0.01, tmp_path, scenes=48) == "", "of other scenes"
    assert marked(one, one + 0.01 * torch.tensor([1.0, -1.0]).repeat(16), tmp_path) == ""
    keep_cases({PLACE: one + 1}, tmp_path / "b/silence.csv")
    assert "| **differs** |" not in compare(tmp_path / "a", tmp_path / "b"), "cases of another run are none of its own"


def test_figures_by_case_are_kept_and_another_table_is_named(tmp_path: Path) -> None:
    values = {PLACE: torch.tensor([0.25, 0.5]), ("L1, of edges", "pose", "a, b"): torch.tensor([1 / 3])}
    keep_cases(values, tmp_path / "silence.csv")
    found = cases_of(tmp_path / "silence.csv")
    assert found.keys() == values.keys()
    assert all(torch.allclose(found[place], values[place], atol=1e-6) for place in values)
    assert cases_of(tmp_path / "none.csv") == {}
    for wrong in ("", "a,b\n1,2\n", "figure,condition,method,case 0\nx,y,z,much\n"):
        (tmp_path / "silence.csv").write_text(wrong)
        with pytest.raises(ConfigError, match=r"silence.csv is no table of figures by case, .*: delete it"):
            cases_of(tmp_path / "silence.csv")


def test_what_one_run_has_alone_is_named_and_runs_without_a_protocol_in_common_are_refused(tmp_path: Path) -> None:
    keep(FOUND, tmp_path / "a/silence.json")
    keep(replace(FOUND, estimates=[replace(ONE, method="ControlNet")], claims=[]), tmp_path / "b/silence.json")
    keep(replace(FOUND, protocol="unite"), tmp_path / "b/unite.json")
    keep(replace(FOUND, protocol="unite"), tmp_path / "c/unite.json")
    shown = compare(tmp_path / "a", tmp_path / "b").splitlines()
    assert "In the second alone: unite." in shown
    assert "| edge F1 | canny | base alone | 0.5 (0.25 to 0.75) |  |  |" in shown
    assert "| edge F1 | canny | ControlNet |  | 0.5 (0.25 to 0.75) |  |" in shown
    assert f"“{SAYS}”: holds, then not judged." in shown
    with pytest.raises(ConfigError, match=r"a \(silence\) and .*c \(unite\) have no protocol in common: name folders"):
        compare(tmp_path / "a", tmp_path / "c")


def test_estimates_differ_by_the_halves_that_face_each_other() -> None:
    low, high = Interval(0.0, -5.0, 0.3), Interval(0.6, 0.2, 9.0)
    assert differ(low, high)
    assert differ(high, low)
    assert not differ(Interval(0.0, -5.0, 0.6), high)
