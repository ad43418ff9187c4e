"""Unite and Conquer on faces, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sluice.flows.evaluate.cases import cases, shown
from sluice.flows.evaluate.combiners import faces
from sluice.flows.evaluate.combiners.comparisons import measure_combiners
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.results import read
from sluice.infra.models import find
from sluice.preprocess.perception.judges import Judges

QUIET = Console(quiet=True)


def test_every_method_has_a_row_for_parts_and_edges(networks: Networks, untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=1)
    measure_combiners(["unite-faces"], 2, sampling, networks, tmp_path, tmp_path / "results", QUIET)
    found = read(tmp_path / "results/unite-faces.json")
    methods = {own.method for own in found.estimates}
    assert {faces.UNITE, faces.BOTH_AT_ONCE, *faces.AVERAGES, *faces.VARIANTS, *faces.ALONE.values()} < methods
    assert len(found.estimates) == 3 * len(methods)
    assert list(found.claims[0].verdicts) == [
        *(f"{by}, against {own}" for own in (*faces.AVERAGES, faces.BOTH_AT_ONCE) for by in (faces.F1, faces.EDGES)),
        "mask F1, against sketch alone",
        "edge F1, against parts alone",
    ]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2 * len(methods), "no two methods are one"


def test_a_true_face_has_its_own_parts_and_edges() -> None:
    iou, f1, edges = faces.figures(Judges.load(find("tabletop/judges").path))
    some = cases("faces", 6)
    true = shown(some, "image") * 2 - 1
    for figure, floor in ((iou, 0.6), (f1, 0.7), (edges, 0.99)):
        assert figure.of(true, some).mean() > floor
        assert figure.of(true.roll(1, 0), some).mean() < figure.of(true, some).mean() - 0.2
