"""How a sampling went, drawn."""

from __future__ import annotations

from sluice.flows.compose.page.process import blocks_of
from sluice.infra.page.charts import Charts, HeatMap, Lines


def test_energies_are_lines_and_controls_are_shades() -> None:
    layers = [[0.0, 1.0, 4.0], [0.0, 2.0, 2.0]]
    numbers = [
        {"what": "energy", "of": "1. text", "at": [900, 500, 100], "values": [4.0, 2.0, 1.0]},
        {"what": "energy", "of": "2. style", "at": [900, 500], "values": [float("nan"), 2.0]},
        {"what": "cosine", "of": "1. text, 2. style", "at": [900, 500], "values": [-1.0, 0.5]},
        {"what": "share", "of": "canny", "at": [900, 100], "values": layers},
        {"what": "weight", "of": "canny", "at": [900, 100], "values": [[1.0] * 3] * 2},
    ]
    first, second = blocks_of({"foreseen": [], "numbers": numbers})
    assert isinstance(first, Charts)
    assert isinstance(second, Charts)
    (energies, cosines), (shades,) = first.charts, second.charts
    assert isinstance(energies, Lines)
    (line,) = energies.lines
    assert line.points == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)]
    assert line.span == "4 at first, 1 at last, 4 at most"
    assert isinstance(cosines, Lines)
    assert cosines.lines[0].points == [(0.0, 0.0), (0.5, 0.75)]
    assert isinstance(shades, HeatMap)
    assert (shades.rows, shades.columns, shades.most) == (["skip 1", "skip 2", "middle"], ["t 900", "t 100"], 4.0)
    assert shades.values == [[0.0, 0.0], [1.0, 2.0], [4.0, 2.0]]
