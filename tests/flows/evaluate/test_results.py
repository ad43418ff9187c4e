"""Verdicts and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sluice.flows.evaluate.claims import ENOUGH, Claim, Curve, Estimate, Example, Results, by_case, judged
from sluice.flows.evaluate.protocols.silence import SAYS
from sluice.flows.evaluate.results import keep, make_ready, of_other_networks, page, read, read_all, refuse_others
from sluice.flows.evaluate.settings import settings_of
from sluice.inference.metrics.bootstrap import Interval
from sluice.infra.settings import ConfigError

ONE = Estimate("edge F1", "canny", "base alone", "share", Interval(0.5, 0.25, 0.75), 32)
FOUND = Results("silence", "Made", {"net": "abc"}, {"steps": 2}, [ONE], [Claim(SAYS, "Always.", {"canny": "holds"})])


def test_a_claim_holds_where_it_does_everywhere() -> None:
    assert Claim("", "", {"a": "holds", "b": "holds"}).verdict == "holds"
    assert Claim("", "", {"a": "holds", "b": "not here"}).verdict == "in part"
    assert Claim("", "", {"a": "not here"}).verdict == Claim("", "", {}).verdict == "not here"
    most = Claim("", "", {"a": "holds", "b": "not here", "c": "not here"})
    assert most.verdict == "not here"
    assert most.told == "not here: holds 1, not here 2 of 3"
    assert Claim("", "", {"a": "holds", "b": "holds"}).told == "holds"
    told = [judged(True, True, ENOUGH), judged(False, True, ENOUGH), judged(False, False, ENOUGH)]
    assert told == ["holds", "in part", "not here"]
    assert judged(True, True, ENOUGH - 1) == "in part"


def test_a_case_counts_once_however_many_pictures_it_has() -> None:
    assert by_case(torch.tensor([0.0, 2.0, 5.0, 7.0]), 2).tolist() == [1, 6]


def test_the_page_has_a_row_for_a_method_and_a_column_for_a_condition(tmp_path: Path) -> None:
    why = "the weights lpips-vgg are not here; `sluice models pull lpips-vgg`"
    keep(replace(FOUND, left_out={"LPIPS": why}, code="0.1.0, commit 0123"), tmp_path / "made.json")
    shown = page([read(tmp_path / "made.json")]).splitlines()
    assert f"Not measured: LPIPS: {why}." in shown
    assert "steps 2. Networks: `net` abc. Code: 0.1.0, commit 0123." in shown
    assert f"| {SAYS} | **holds** | canny: holds |" in shown
    assert shown[shown.index("### Edge F1 (share)") + 2 :][:3] == [
        "| | canny, n = 32 |",
        "|---|---|",
        "| base alone | 0.5 (0.25 to 0.75) |",
    ]


def test_the_text_in_docs_is_that_of_the_results_in_docs() -> None:
    docs = Path(__file__).parents[3] / "docs"
    assert page(read_all(docs / "results")) == (docs / "results.md").read_text()


def test_what_changes_along_a_sampling_has_columns_for_its_times(tmp_path: Path) -> None:
    at, own = [900, 500, 100], [Interval(value, value - 1, value + 1) for value in (3.0, 2.0, 1.0)]
    longer = Curve("energy", "faces", "FreeDoM", "timesteps", at, own, 8)
    shorter = Curve("energy", "faces", "Z-Magic", "timesteps", at[:2], own[:2], 8)
    keep(replace(FOUND, curves=[longer, shorter]), tmp_path / "made.json")
    shown = page([read(tmp_path / "made.json")]).splitlines()
    assert shown[shown.index("### Energy, along timesteps") + 2 :][:4] == [
        "| | 900 | 500 | 100 |",
        "|---|---|---|---|",
        "| faces: FreeDoM, n = 8 | 3 | 2 | 1 |",
        "| faces: Z-Magic, n = 8 | 3 | 2 |  |",
    ]


def test_the_eight_claims_stand_first_and_those_not_measured_say_so() -> None:
    shown = page([FOUND]).splitlines()
    rows = [line for line in shown if line[:3] in {f"| {number}" for number in range(1, 9)}]
    assert rows[0] == f"| 1 | {SAYS} | **holds** | `silence` |"
    assert [row.split("|")[3].strip() for row in rows[1:]] == ["**not measured**"] * 7


@pytest.mark.parametrize(
    "content",
    [b'{"protocol": "training"}', b'{"protocol": "uni', b"[]", b"\xff\xfe", b"[" * 100_000],
    ids=["another's", "cut", "a list", "no text", "deep"],
)
def test_files_that_are_no_results_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")  # not of a protocol's name, and no affair of ours
    (tmp_path / "silence.json").write_bytes(content)
    for reading in (read_all, lambda folder: refuse_others(folder, None, {})):
        with pytest.raises(
            ConfigError,
            match=r"silence.json holds no results of this version .*: move it elsewhere and measure again, or name",
        ):
            reading(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["settings"], None),
        (["protocol"], 5),
        (["left_out"], ["a metric"]),
        (["version"], 99),
        (["claims", 0, "verdicts"], None),
        (["claims", 0, "verdict"], "not here"),
        (["claims", 0, "verdicts", "canny"], "maybe"),
        (["estimates", 0, "interval", "low"], "a"),
        (["estimates", 0, "interval", "low"], float("nan")),
        (["estimates", 0, "interval", "high"], float("inf")),
        (["examples", 0, "pictures"], None),
        (["examples", 0, "pictures", "base alone"], "../../secret"),
        (["curves", 0, "at"], [1]),
        (["curves", 0, "intervals"], []),
    ],
)
def test_what_says_other_than_a_measure_writes_is_refused(path: list[str | int], value: Any, tmp_path: Path) -> None:
    example = Example("canny", "a cube", "the worst", {"base alone": "0123"})
    curve = Curve("energy", "canny", "base alone", "timesteps", [1, 2], [ONE.interval] * 2, 32)
    keep(replace(FOUND, examples=[example], curves=[curve]), tmp_path / "silence.json")
    told = json.loads((tmp_path / "silence.json").read_text())
    within = told
    for step in path[:-1]:
        within = within[step]
    within[path[-1]] = value
    (tmp_path / "silence.json").write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=r"silence.json holds no results of this version"):
        read_all(tmp_path)


def test_a_number_that_no_float_holds_is_refused(tmp_path: Path) -> None:
    keep(FOUND, tmp_path / "silence.json")
    told = (tmp_path / "silence.json").read_text()
    (tmp_path / "silence.json").write_text(told.replace("0.75", "1e999"))
    with pytest.raises(ConfigError, match=r"silence.json holds no results of this version"):
        read_all(tmp_path)


def test_figures_of_other_networks_are_said_to_be_replaced(tmp_path: Path) -> None:
    keep(FOUND, tmp_path / "silence.json")
    assert list(of_other_networks(tmp_path, {"silence": {**FOUND.made_of, "another": "0123"}, "unite": {}})) == []
    name = next(iter(FOUND.made_of))
    (said,) = of_other_networks(tmp_path, {"silence": {name: "0123"}})
    assert said == f"{tmp_path}/silence.json is of other networks than are there now ({name}): new figures replace it"


def test_a_folder_that_is_none_is_named_before_figures_come(tmp_path: Path) -> None:
    make_ready(tmp_path / "some" / "results", "figures", "--out")
    assert list((tmp_path / "some" / "results").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"figures cannot be kept in .*/file \(File exists\): name with `--out`"):
        make_ready(tmp_path / "file", "figures", "--out")


def test_the_results_in_docs_are_of_todays_settings() -> None:
    """Else the suite would be refused there, as its figures would take the place of others."""
    for found in read_all(Path(__file__).parents[3] / "docs" / "results"):
        settings = settings_of(found.protocol).model_dump()
        assert {name: found.settings[name] for name in settings} == settings, found.protocol
