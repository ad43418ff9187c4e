"""Comparisons of combiners, measured whole on two scenes by untrained networks in few steps; figures on truth."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import Case, cases, shown
from sluice.flows.evaluate.combiners import aggregates, amdm, guides, scenes, zmagic
from sluice.flows.evaluate.combiners.comparisons import measure_combiners
from sluice.flows.evaluate.combiners.contest import Outcome
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.obedience import Obeyed
from sluice.flows.evaluate.results import page, read
from sluice.infra.models import MissingWeights, find
from sluice.preprocess.perception.judges import Judges

QUIET = Console(quiet=True)
NETWORKS = Networks("tabletop")


def test_unite_has_a_row_for_every_method_and_a_verdict_against_each(untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=2, seeds=1)
    measure_combiners(["unite"], 2, sampling, NETWORKS, tmp_path, tmp_path / "results", QUIET)
    found = read(tmp_path / "results/unite.json")
    rows = {own.method for own in found.estimates}
    assert rows == {*scenes.BASELINES, scenes.UNITE, *scenes.VARIANTS}
    assert [len(claim.verdicts) for claim in found.claims] == [5, 3]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2 * len(rows), "no two methods are one"
    assert all(claim.says in page([found]) for claim in found.claims)


def test_amdm_has_a_row_for_every_option(untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=1)
    measure_combiners(["amdm"], 2, sampling, NETWORKS, tmp_path, tmp_path / "results", QUIET)
    found = read(tmp_path / "results/amdm.json")
    assert len(aggregates.variants()) == 3 * 2 * 2 - 1
    assert {own.method for own in found.estimates} == {*aggregates.methods(sampling), amdm.TRUE}
    assert [len(claim.verdicts) for claim in found.claims] == [len(amdm.DUELS), 1 + len(aggregates.variants())]


def test_instances_are_counted_apart_where_there_are_enough_for_an_interval() -> None:
    some = amdm.crowded(4)
    found = Outcome("all", (), {("figure", "method"): torch.tensor([1.0, 3.0, 5.0, 7.0])})
    (level,) = amdm.by_level(found, some)
    assert (level.condition, level.values["figure", "method"].tolist()) == ("L2", [1, 3])


def test_true_pictures_show_nearly_all_instances() -> None:
    judges, some = Judges.load(find("tabletop/judges").path), amdm.crowded(12)
    assert [len(case.scene.things) for case in some] == [2] * 4 + [3] * 4 + [4] * 4
    success, _ = amdm.figures(judges)
    assert success.of(shown(some, "image") * 2 - 1, some).mean() > 0.6
    assert success.of((shown(some, "image") * 2 - 1).flip(3), some).mean() < 0.2


def test_zmagic_has_a_row_for_every_method_of_a_combination(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmagic, "ALL", zmagic.ALL[:1])
    measure_combiners(
        ["zmagic"], 2, Sampling(str(untrained), steps=1, seeds=1), NETWORKS, tmp_path, tmp_path / "results", QUIET
    )
    found = read(tmp_path / "results/zmagic.json")
    assert {own.figure for own in found.estimates} == {"identity distance", "landmark error"}
    assert len(found.estimates) == 2 * 7
    (name,) = {own.condition for own in found.estimates}
    assert list(found.claims[0].verdicts) == [
        f"{name}: identity distance against FreeDoM",
        f"{name}: identity distance against landmarks alone",
        f"{name}: landmark error against FreeDoM",
        f"{name}: landmark error against identity alone",
    ]
    assert len(found.claims[1].verdicts) == 2 * 2


@pytest.mark.parametrize("wanted", zmagic.ALL, ids=lambda wanted: wanted.name)
def test_zmagics_methods_are_jobs_of_their_own(wanted: zmagic.Wanted, untrained: Path) -> None:
    known = guides.guides(str(untrained), Judges.load(untrained / "judges"))
    methods = zmagic.methods(str(untrained), wanted, {name: known[name] for name in wanted.conditions})
    jobs = {Sampling(str(untrained)).whole(Case(0, wanted.law), tree(Case(0, wanted.law))) for tree in methods.values()}
    assert len(jobs) == len(methods) == (7 if len(wanted.conditions) == 2 else 9)


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
    assert means("style", "one", guides.other)[0] == pytest.approx(0, abs=1e-5)
    near, far = means("landmarks", "faces", guides.other)
    assert near < 0.03 < far
    right, wrong = means("parsing", "faces", guides.other)
    assert right > wrong + 0.2
    told, untold = means("text", "one", lambda case: case)
    assert told < untold - 0.1


def test_a_part_that_is_not_there_is_named_before_anything_is_made(tmp_path: Path) -> None:
    said = "'tabletop/unet_class' does not ship yet: make it by `sluice train tabletop --only unet_class`"
    with pytest.raises(MissingWeights, match=said):
        measure_combiners(["unite"], 2, Sampling(), NETWORKS, tmp_path / "place", tmp_path, QUIET)
    (tmp_path / "family").mkdir()
    with pytest.raises(MissingWeights, match=r"family holds no unet_class, of which 'unite' is: `sluice train"):
        measure_combiners(
            ["unite"], 2, Sampling(str(tmp_path / "family")), NETWORKS, tmp_path / "place", tmp_path, QUIET
        )
    assert list(tmp_path.iterdir()) == [tmp_path / "family"]


def test_verdicts_are_by_paired_differences_on_the_better_side() -> None:
    better = {"up": torch.tensor([1.0, 2.0, 3.0]), "down": torch.tensor([0.9, 1.9, 2.9])}
    mixed = {"up": torch.tensor([1.0, 0.0, 0.5]), "down": torch.tensor([0.0, 1.0, 0.0])}
    figures = tuple(Obeyed(own, "", own, lambda *_: torch.zeros(1)) for own in ("higher", "lower"))  # type: ignore[arg-type]
    found = Outcome("", figures, {(own.figure, name): better[name] for own in figures for name in better})
    assert [found.better("higher", *pair) for pair in (("up", "down"), ("down", "up"))] == ["holds", "not here"]
    assert [found.better("lower", *pair) for pair in (("up", "down"), ("down", "up"))] == ["not here", "holds"]
    assert [found.unbeaten("higher", *pair) for pair in (("up", "down"), ("down", "up"))] == ["holds", "not here"]
    unsure = Outcome("", figures, {("higher", name): mixed[name] for name in mixed})
    assert unsure.better("higher", "up", "down") == unsure.unbeaten("higher", "down", "up") == "in part"
    assert unsure.among("last", [1, 2]).values["higher", "up"].tolist() == [0, 0.5]


def test_true_pictures_show_what_both_models_are_told() -> None:
    some = list(islice(scenes.pairs(), 24))
    judges = Judges.load(find("tabletop/judges").path)
    both, text, shape = (own.of(shown(some, "image") * 2 - 1, some) for own in scenes.figures(judges))
    assert min(text.mean(), shape.mean()) > 0.7
    assert torch.equal(both, text * shape)
    others = some[1:] + some[:1]
    assert scenes.figures(judges)[0].of(shown(some, "image") * 2 - 1, others).mean() < 0.2
