"""Distances of sets of pictures, with intervals over cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from sluice.flows.evaluate.cases import cases, shown
from sluice.flows.evaluate.populations import (
    FEWEST,
    GROUPS,
    WIDE,
    Crop,
    by_inception,
    by_judges,
    distances,
    from_true,
    jackknife,
    scores,
    spanned_frechet,
)
from sluice.inference.metrics.fid import MINIMUM as FEWEST_OF_FID
from sluice.inference.metrics.frechet import frechet_distance
from sluice.inference.metrics.inception_score import MINIMUM
from sluice.infra.weights.models import find
from sluice.preprocess.perception.inception import Inception
from sluice.preprocess.perception.judges import Judges

FID = "FID by this Inception"


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges.load(find("tabletop/judges").path)


def draw(cases: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(cases, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_what_is_drawn_alike_is_near_and_what_is_not_is_far(judges: Judges) -> None:
    true = draw(60, 0)
    made = {"alike": draw(120, 1), "apart": draw(120, 2, shift=1.0)}
    sight = by_judges(judges)
    found = {
        (own.figure, method): own.interval
        for method, features in made.items()
        for own in distances(sight, "", "all", method, features, true)
    }
    for figure in sight.distances:
        near, far = found[figure, "alike"], found[figure, "apart"]
        assert near.low < near.estimate < near.high < far.low
    assert found["KID-tabletop", "alike"].low < 0 < found["KID-tabletop", "alike"].high
    assert found["KID-tabletop", "apart"].low > 0


def test_an_interval_is_as_wide_as_sets_differ(judges: Judges) -> None:
    """Against many sets drawn anew: 95% of an interval's width is within a half of what they spread."""
    shift = 0.5
    sight = by_judges(judges)
    many = [next(distances(sight, "", "", "own", draw(40, 2 * n, shift), draw(40, 2 * n + 1))) for n in range(60)]
    spread = torch.tensor([own.interval.estimate for own in many]).std()
    said = torch.tensor([(own.interval.high - own.interval.low) / (2 * 1.96) for own in many]).mean()
    assert 0.5 < said / spread < 1.5


def test_a_jackknife_of_groups_is_as_wide_as_one_of_cases() -> None:
    """Of a mean its standard error is known."""
    values = torch.randn(GROUPS * 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    asked = []

    def mean(kept: torch.Tensor) -> float:
        asked.append(kept)
        return float(values[kept].mean())

    found = jackknife(len(values), mean)
    assert len(asked) == 1 + GROUPS
    assert torch.stack(asked[1:]).sum(dim=0).tolist() == [GROUPS - 1] * len(values)
    known = 2 * WIDE * float(values.std() / len(values) ** 0.5)
    assert found.high - found.low == pytest.approx(known, rel=0.25)


def test_a_crop_sees_nothing_else(judges: Judges) -> None:
    """Pictures that are true in the left half are as far from true ones, there, as these are from themselves."""
    some = cases("two", FEWEST)
    true, half = shown(some, "image") * 2 - 1, torch.arange(64) < 32
    crop = Crop(", left", lambda own, _: own * half, lambda of: (shown(of, "image") * 2 - 1) * half)
    made = [("left", torch.where(half, true, -true))]
    by_figure = {own.figure: own.interval for own in from_true(by_judges(judges), crop).measure("all", made, some)}
    assert by_figure["FID-tabletop, left"].estimate == pytest.approx(0, abs=1e-3)
    assert next(from_true(by_judges(judges)).measure("all", made, some)).interval.low > 0.1


def test_pictures_of_many_things_score_higher_than_pictures_of_one(judges: Judges) -> None:
    some = cases("one", MINIMUM + 2)
    assert scores(judges).fewest(1) == len(some)
    many = shown(some, "image") * 2 - 1
    made = [("many", many), ("one", many[:1].expand_as(many))]
    found = {own.method: own.interval for own in scores(judges).measure("all", made, some)}
    assert found["one"].estimate == pytest.approx(1, abs=1e-4)
    assert 4 < found["many"].low < found["many"].estimate < 12


def test_the_distance_in_the_span_of_both_sets_is_the_distance() -> None:
    made, true = (torch.randn(24, 60, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert spanned_frechet(made, true + 0.1) == pytest.approx(frechet_distance(made, true + 0.1), rel=1e-6)


def test_inceptions_distances_are_named_after_it_and_take_as_many_pictures_as_fid(tmp_path: Path) -> None:
    body = nn.Sequential(nn.AvgPool2d(1, stride=48), nn.Flatten())
    torch.jit.script(body).save(str(tmp_path / "inception.pt"))  # type: ignore[no-untyped-call]
    some = cases("one", FEWEST)
    true = shown(some, "image") * 2 - 1
    population = from_true(by_inception(Inception(tmp_path / "inception.pt")))
    assert population.fewest(1) == FEWEST_OF_FID
    found = {
        (own.figure, own.method): own.interval
        for own in population.measure("all", [("own", true), ("dark", -true)], some)
    }
    assert {figure for figure, _ in found} == {FID, "KID by this Inception"}
    assert found[FID, "own"].estimate == pytest.approx(0, abs=1e-3)
    assert found[FID, "dark"].low > 1
