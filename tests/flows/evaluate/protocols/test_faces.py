"""Unite and Conquer on faces, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.evaluate.cases import cases, other, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import faces


def test_every_method_has_a_row_for_parts_and_edges(measured: Callable[[str], Results]) -> None:
    found = measured("unite-faces")
    of_one = [own for own in found.estimates if own.condition == "faces"]
    methods = {own.method for own in of_one}
    assert {faces.UNITE, faces.BOTH_AT_ONCE, *faces.AVERAGES, *faces.ALONE.values()} < methods
    assert len(of_one) == 4 * len(methods)
    assert list(found.claims[0].verdicts) == [
        *(f"{by}, against {own}" for own in (*faces.AVERAGES, faces.BOTH_AT_ONCE) for by in (faces.F1, faces.EDGES)),
        "mask F1, against sketch alone",
        "edge F1, against parts alone",
    ]


@pytest.mark.slow
def test_of_two_faces_the_one_that_weighs_more_is_set_beside_equal_weights(
    measured: Callable[[str], Results],
) -> None:
    found = measured("unite-faces")
    torn = [(own.method, own.figure) for own in found.estimates if own.condition != "faces"]
    assert torn == [(name, figure) for figure in (faces.F1, faces.EDGES) for name in faces.TORN]
    assert list(found.claims[1].verdicts) == ["parts", "sketch"]


def test_torn_between_two_faces_parts_are_of_the_one_and_edges_of_the_other(tmp_path: Path) -> None:
    parts, edges = faces.torn_figures(Contest(Sampling(), tmp_path, Console(quiet=True), Networks("tabletop")))
    some = cases("faces", 6)
    own, others = (shown(of, "image") * 2 - 1 for of in (some, list(map(other, some))))
    assert parts.of(own, some).mean() > parts.of(others, some).mean() + 0.2
    assert edges.of(others, some).mean() > edges.of(own, some).mean() + 0.2


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    assert len(measured("unite-faces-ablations").claims[0].verdicts) == 2 * 3


def test_a_true_face_has_its_own_parts_edges_and_caption(tmp_path: Path) -> None:
    f1, iou, edges, text = faces.figures(Contest(Sampling(), tmp_path, Console(quiet=True), Networks("tabletop")))
    some = cases("faces", 6)
    true = shown(some, "image") * 2 - 1
    for figure, floor in ((iou, 0.6), (f1, 0.7), (edges, 0.99)):
        assert figure.of(true, some).mean() > floor
        assert figure.of(true.roll(1, 0), some).mean() < figure.of(true, some).mean() - 0.2
    scenes = shown(cases("one", 6), "image") * 2 - 1
    assert text.of(true, some).mean() < text.of(scenes, some).mean() - 0.1
