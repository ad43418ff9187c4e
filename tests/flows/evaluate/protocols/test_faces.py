"""Unite and Conquer on faces, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from sluice.flows.evaluate.cases import cases, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import faces


def test_every_method_has_a_row_for_parts_and_edges(measured: Callable[[str], Results]) -> None:
    found = measured("unite-faces")
    methods = {own.method for own in found.estimates}
    assert {faces.UNITE, faces.BOTH_AT_ONCE, *faces.AVERAGES, *faces.ALONE.values()} < methods
    assert len(found.estimates) == 4 * len(methods)
    assert list(found.claims[0].verdicts) == [
        *(f"{by}, against {own}" for own in (*faces.AVERAGES, faces.BOTH_AT_ONCE) for by in (faces.F1, faces.EDGES)),
        "mask F1, against sketch alone",
        "edge F1, against parts alone",
    ]


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    assert len(measured("unite-faces-ablations").claims[0].verdicts) == 2 * 2


def test_a_true_face_has_its_own_parts_edges_and_caption(tmp_path: Path) -> None:
    f1, iou, edges, text = faces.figures(Contest(Sampling(), tmp_path, Console(quiet=True), Networks("tabletop")))
    some = cases("faces", 6)
    true = shown(some, "image") * 2 - 1
    for figure, floor in ((iou, 0.6), (f1, 0.7), (edges, 0.99)):
        assert figure.of(true, some).mean() > floor
        assert figure.of(true.roll(1, 0), some).mean() < figure.of(true, some).mean() - 0.2
    scenes = shown(cases("one", 6), "image") * 2 - 1
    assert text.of(true, some).mean() < text.of(scenes, some).mean() - 0.1
