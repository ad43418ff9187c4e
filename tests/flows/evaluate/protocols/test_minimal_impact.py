"""Two controls in conflict, measured whole by untrained networks in few steps; layouts and figures on true pictures."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import Two, kept_image, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import minimal_impact
from sluice.flows.evaluate.protocols.layouts import LAYOUTS, Spoken, part
from sluice.flows.evaluate.scenes import Scenes
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges

SPLITS = ("halves", "centre")


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(Judges.load(find("tabletop/judges").path))


def test_a_pair_has_a_row_for_every_method_in_every_layout_and_a_verdict_over_all(
    measured: Callable[[str], Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minimal_impact, "PAIRS", minimal_impact.PAIRS[:1])
    monkeypatch.setattr(minimal_impact, "LAYOUTS", {name: LAYOUTS[name] for name in ("parts", "halves")})
    found = measured("minimal-impact")
    assert {own.condition for own in found.estimates} == {"pose + canny, parts", "pose + canny, halves"}
    assert len(found.estimates) == 2 * len(minimal_impact.METHODS) * 3
    assert list(found.claims[0].verdicts) == [f"pose + canny, against {own.name}" for own in minimal_impact.RIVALS]


def test_the_default_is_compared_with_every_option(
    measured: Callable[[str], Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minimal_impact, "PAIRS", minimal_impact.PAIRS[:1])
    monkeypatch.setattr(minimal_impact, "LAYOUTS", {"halves": LAYOUTS["halves"]})
    found = measured("minimal-impact-ablations")
    assert len(found.claims[0].verdicts) == len(minimal_impact.VARIANTS) == 5


def test_retrained_sums_are_left_out_of_pairs_that_lack_a_network(
    contest: Contest, networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minimal_impact, "PAIRS", (("pose", "canny"), ("canny", "depth")))
    lacked = "controlnet-rebalanced-pose"
    shutil.copytree(networks.place, tmp_path / "networks", ignore=shutil.ignore_patterns(lacked))
    lacking = replace(contest, networks=Networks(str(tmp_path / "networks")))
    retrained = [own.name for own in minimal_impact.METHODS if own.optional]
    assert len(retrained) == 4
    assert minimal_impact.pictures(lacking) == minimal_impact.pictures(contest) - 3 * len(retrained)
    assert list(lacking.left_out) == [f"{own} of pose + canny" for own in retrained]
    pairs = minimal_impact.here(lacking, minimal_impact.METHODS)
    there = lacking.optional(minimal_impact.METHODS, pairs)
    assert there.keys() == {f"controlnet-rebalanced-{own}" for own in ("canny", "depth")}


def test_a_pair_that_nothing_here_can_extract_is_left_out(
    networks: Networks, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    monkeypatch.setattr(minimal_impact, "PAIRS", (("canny", "hed"),))
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    contest = Contest(Sampling(str(untrained)), tmp_path, console, networks)
    assert list(minimal_impact.pairs(contest, 2, minimal_impact.METHODS)) == []
    assert contest.left_out == {"canny + hed": "the weights hed are not here; `sluice models pull hed`"}
    assert isinstance(console.file, io.StringIO)
    assert "Left out: canny + hed: the weights hed are not here; `sluice models pull hed`" in console.file.getvalue()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nowhere_do_both_speak(layout: str, scenes: Scenes) -> None:
    for case in scenes.pairs(("canny", "depth"), 4):
        first, second = LAYOUTS[layout](case, ("canny", "depth"))
        assert not (first.speaks & second.speaks).any()
        assert (first.speaks | second.speaks).all() == (layout in SPLITS)
        assert first.speaks.mean() > 0.09 < second.speaks.mean()


def test_a_part_is_the_centre_of_its_condition_and_no_two_cases_have_it_in_one_place(scenes: Scenes) -> None:
    places, pair = set(), ("depth", "canny")
    for case in scenes.pairs(pair, 4):
        first, _ = LAYOUTS["parts"](case, pair)
        rows, columns = np.nonzero(first.speaks)
        side = rows.max() - rows.min() + 1
        centre = part(case.size)
        of = shown([case.one], "depth")[0].permute(1, 2, 0).numpy()[centre, centre]
        placed = first.levels[first.speaks].reshape(side, side, 3)
        assert np.array_equal(placed, cv2.resize(of, (int(side), int(side)), interpolation=cv2.INTER_AREA))
        assert first.levels[~first.speaks].max() == 0
        places.add((rows.min(), columns.min()))
    assert len(places) == 4


@pytest.mark.parametrize("pair", [("pose", "canny"), ("canny", "depth")])
def test_true_pictures_show_what_their_scenes_ask_for(pair: tuple[str, str], scenes: Scenes) -> None:
    extract, some = scenes.extract, scenes.pairs(pair, 6)
    for which in (0, 1):
        of = [(case.one, case.other)[which] for case in some]
        wanted = [LAYOUTS["halves"](case, pair)[which] for case in some]
        apart = partial(minimal_impact.apart, extract, wanted=wanted)
        true = shown(of, "image") * 2 - 1
        assert apart(true).mean() < 0.5 * apart(true.roll(1, 0)).mean()


def test_depths_count_from_the_farthest_to_the_nearest_of_a_region() -> None:
    maps, region = torch.tensor([[[[1.0, 2.0, 3.0, 9.0]]]]), torch.tensor([[[True, True, True, False]]])
    assert minimal_impact.spread(maps, region).flatten().tolist() == [0, 0.5, 1, 1]
    assert minimal_impact.spread(torch.ones(1, 1, 1, 4), region).flatten().tolist() == [0, 0, 0, 0]


def test_an_image_that_is_drawn_has_one_file(tmp_path: Path) -> None:
    one = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    name = kept_image(one, tmp_path)
    assert kept_image(one, tmp_path) == name != kept_image(1 - one, tmp_path)
    assert np.array_equal(cv2.imread(str(tmp_path / name), cv2.IMREAD_COLOR_RGB), np.rint(one * 255))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_crop_is_what_a_control_speaks_of_and_nothing_else(layout: str, scenes: Scenes) -> None:
    """Of a picture that has both scenes, each where its control speaks, and noise where none does."""
    some = list(scenes.pairs(("canny", "depth"), 2))

    def of(case: Two) -> tuple[Spoken, Spoken]:
        return LAYOUTS[layout](case, ("canny", "depth"))

    crops = [minimal_impact.where_it_speaks(of, which) for which in (0, 1)]
    first, second = (crop.true(some) for crop in crops)
    heard = torch.stack([torch.from_numpy(of(case)[0].speaks | of(case)[1].speaks) for case in some])[:, None]
    pictures = torch.where(heard, first + second, torch.rand(first.shape))
    for crop, wanted in zip(crops, (first, second), strict=True):
        assert torch.equal(crop.made(pictures, some), wanted)
        assert wanted.any()
