"""Z-Magic; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.flows.evaluate.cases import Case, cases, other, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Sampling
from sluice.flows.evaluate.protocols import guides, zmagic
from sluice.flows.evaluate.protocols.guided import along
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges


@pytest.fixture(autouse=True)
def one_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = zmagic.Wanted("faces", ("identity", "landmarks"))  # who it is, untrained judges see more of than points
    for name, each in (("ALL", [pair]), ("VARIED", [pair]), ("PICTURES", 5), ("ABLATED", 8)):
        monkeypatch.setattr(zmagic, name, each)


def test_there_is_a_row_for_every_method_of_a_combination(measured: Callable[[str], Results]) -> None:
    found = measured("zmagic")
    assert {own.figure for own in found.estimates} == {"identity distance", "landmark error"}
    assert len(found.estimates) == 2 * 5
    (name,) = {own.condition for own in found.estimates}
    assert list(found.claims[0].verdicts) == [
        f"{name}: identity distance against FreeDoM",
        f"{name}: identity distance against landmarks alone",
        f"{name}: landmark error against FreeDoM",
        f"{name}: landmark error against identity alone",
    ]


def test_curves_are_of_every_energy_and_every_two_while_they_speak(contest: Contest) -> None:
    told = replace(contest, sampling=replace(contest.sampling, steps=3, seeds=2))
    wanted, own = next(zmagic.guided_by(told, zmagic.ALL))
    methods = zmagic.methods(told.sampling.base, wanted, own)
    both = {name: methods[name] for name in (zmagic.SUM, zmagic.ZMAGIC)}
    found = list(along(told, wanted.name, cases(wanted.law, 2), both))
    figures = ("Energy: identity", "Energy: landmarks", "Cosine of what conditions add: identity, landmarks")
    assert [(own.method, own.figure) for own in found] == [(method, figure) for method in both for figure in figures]
    assert [len(own.at) for own in found] == [2, 2, 2, 2, 1, 1], (
        "of the third step, which Z-Magic's second sees, nothing"
    )
    first, others = found[0], {own.figure: own for own in found[3:]}
    one, other = ([at.estimate for at in own.intervals] for own in (first, others[first.figure]))
    assert one[0] == pytest.approx(other[0], rel=1e-5), "both begin with the same noise"
    assert one[1] != pytest.approx(other[1], rel=1e-5)


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    found = measured("zmagic-ablations")
    assert len(found.estimates) == 2 * (1 + len(found.claims[0].verdicts) // 2) == 2 * 8


@pytest.mark.parametrize("wanted", zmagic.ALL, ids=lambda wanted: wanted.name)
def test_methods_are_jobs_of_their_own(wanted: zmagic.Wanted, untrained: Path) -> None:
    known = guides.guides(str(untrained), Judges.load(untrained / "judges"))
    own = {name: known[name] for name in wanted.conditions}
    trees = [
        *zmagic.methods(str(untrained), wanted, own).values(),
        *zmagic.variants(str(untrained), wanted, own).values(),
    ]
    case, sampling = Case(0, wanted.law), Sampling(str(untrained))
    jobs = {sampling.job(case, tree(case), 1) for tree in trees}
    assert len(jobs) == len(trees) - 1, "the default is among both"
    assert len(trees) == (5 + 8 if len(wanted.conditions) == 2 else 6 + 9)


def test_true_pictures_meet_the_conditions_that_are_taken_from_them() -> None:
    known = guides.guides("tabletop", Judges.load(find("tabletop/judges").path))

    def means(name: str, law: str, of: Callable[[Case], Case]) -> tuple[float, float]:
        """Of pictures of what was asked for, and of what the case before was asked for."""
        some = cases(law, 8)
        true, figure = shown([of(case) for case in some], "image") * 2 - 1, known[name].figure
        return float(figure.of(true, some).mean()), float(figure.of(true.roll(1, 0), some).mean())

    same, another = means("identity", "faces", lambda case: case)
    assert same == pytest.approx(0, abs=1e-5)
    assert another > 0.5
    assert means("style", "one", other)[0] == pytest.approx(0, abs=1e-5)
    near, far = means("landmarks", "faces", other)
    assert near < 0.03 < far
    right, wrong = means("parsing", "faces", other)
    assert right > wrong + 0.2
    told, untold = means("text", "one", lambda case: case)
    assert told < untold - 0.1
