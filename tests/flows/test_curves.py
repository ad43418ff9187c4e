"""Curves of a training's log."""

from __future__ import annotations

from sluice.flows.curves import curve, loss_curves
from sluice.infra.page.blocks import Curves


def test_a_curve_over_decades_is_logarithmic() -> None:
    falling = curve("loss", [1, 2, 3], [100.0, 10.0, 1.0])
    assert [round(y, 6) for _, y in falling.points] == [1, 0.5, 0]
    assert falling.note == "now 1, logarithmic"
    flat = curve("loss", [1, 2, 3], [2.0, 2.0, 2.0])
    assert [y for _, y in flat.points] == [0.5, 0.5, 0.5]
    assert len(curve("loss", list(range(1000)), [1.0] * 1000).points) == 200


def test_what_only_some_lines_name_is_drawn_from_these() -> None:
    drawn = loss_curves([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "validation": 1.0}])
    assert isinstance(drawn, Curves)
    assert [(one.name, one.across[0]) for one in drawn.curves] == [("loss", "step 1"), ("validation", "step 2")]
