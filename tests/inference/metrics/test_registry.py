from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate.listed import table
from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.registry import METRICS, UnknownMetric, metric, metrics
from sluice.infra.entry_points import BrokenPackage

ROOT = Path(__file__).parents[3]
MODULE = """
from sluice.inference.metrics.registry import Metric
BRIGHTNESS = Metric(lambda pictures: pictures.mean(dim=(1, 2, 3)), "of -1 to 1", (-1, 1), "higher")
NONSENSE = 3
ENDLESS = Metric(abs, "of anything", (1, 0), "lower")
RANGELESS = Metric(abs, "of anything", None, "lower")
SIDEWAYS = Metric(abs, "of anything", (0, 1), "sideways")
MARKED = Metric(abs, "[/red]", (0, 1), "lower")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The entry points' file of a package that lies where Python finds it, as an installed one does."""
    information = tmp_path / "their_metrics-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-metrics\nVersion: 1.0\n")
    (tmp_path / "their_metrics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return information / "entry_points.txt"


def test_every_metric_says_what_it_is() -> None:
    for name, info in METRICS.items():
        assert info.unit, name
        assert info.range[0] < info.range[1], name
        assert info.minimum >= 1, name
        assert f"{info.better} is" in (info.of.__doc__ or "").lower(), name


@pytest.mark.parametrize("name", [name for name, info in METRICS.items() if info.minimum > 1])
def test_below_its_minimum_a_metric_says_so(name: str) -> None:
    info = METRICS[name]
    few = torch.zeros(info.minimum - 1, 3)
    given = (few,) if name == "inception_score" else (few, few)
    with pytest.raises(Unmeasurable, match=f"needs at least {info.minimum} "):
        info.of(*given)


def test_every_metric_is_in_the_documentation_with_its_direction() -> None:
    rows = [line for line in (ROOT / "docs" / "metrics.md").read_text().splitlines() if line.startswith("| `")]
    told = {row.split("`")[1]: row for row in rows}
    assert set(told) == set(METRICS)
    for name, info in METRICS.items():
        assert f"| {info.better} | {info.minimum} |" in told[name], name


def test_a_package_brings_its_own(installed: Path) -> None:
    installed.write_text("[sluice.metrics]\nbrightness = their_metrics:BRIGHTNESS\n")
    assert set(metrics()) == {*METRICS, "brightness"}
    assert metric("brightness").unit == "of -1 to 1"


def test_names_of_ours_and_other_things_are_refused(installed: Path) -> None:
    installed.write_text("[sluice.metrics]\nedge_f1 = their_metrics:BRIGHTNESS\n")
    with pytest.raises(UnknownMetric, match=r"'edge_f1' .* has the name of our own"):
        metrics()
    installed.write_text("[sluice.metrics]\nnonsense = their_metrics:NONSENSE\n")
    with pytest.raises(UnknownMetric, match=r"'nonsense' must be a .*Metric, and is a int"):
        metrics()
    installed.write_text("[sluice.metrics]\nendless = their_metrics:ENDLESS\n")
    with pytest.raises(UnknownMetric, match=r"'endless' of an installed package has no range: \(1.0, 0.0\), not \(low"):
        metrics()


@pytest.mark.parametrize(("name", "field"), [("RANGELESS", "range"), ("SIDEWAYS", "better")])
def test_a_field_of_another_kind_is_named(name: str, field: str, installed: Path) -> None:
    installed.write_text(f"[sluice.metrics]\ntheirs = their_metrics:{name}\n")
    with pytest.raises(UnknownMetric, match=f"the metric 'theirs' of an installed package: {field}: Input should be"):
        metrics()


def test_what_a_package_says_is_listed_as_it_is(installed: Path) -> None:
    installed.write_text("[sluice.metrics]\nmarked = their_metrics:MARKED\n")
    said = StringIO()
    Console(file=said, width=200).print(table())
    assert "[/red]" in said.getvalue()


@pytest.mark.parametrize(("value", "said"), [("no_such_module:X", "ModuleNotFoundError"), ("their_metrics:NO", "Attr")])
def test_what_cannot_be_loaded_is_named(value: str, said: str, installed: Path) -> None:
    installed.write_text(f"[sluice.metrics]\nbroken = {value}\n")
    with pytest.raises(
        BrokenPackage, match=rf"sluice.metrics 'broken' \({value}\) cannot be loaded \({said}.*uninstall"
    ):
        metrics()


def test_a_near_name_is_told() -> None:
    with pytest.raises(UnknownMetric, match="no metric is called 'edge_f2'; did you mean 'edge_f1'"):
        metric("edge_f2")
