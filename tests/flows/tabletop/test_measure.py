"""That judging is right on true pictures, and runs on the family as it is saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.flows.tabletop.boxes import overlap
from sluice.flows.tabletop.figure import Figure
from sluice.flows.tabletop.inpainting import emptied
from sluice.flows.tabletop.measure import NothingTrained, measure_family
from sluice.flows.tabletop.reading import colour_shown, shape_shown
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.scene import Thing
from sluice.training.tabletop.family import family
from sluice.training.tabletop.scenes import HELD_OUT, Scenes


def test_true_pictures_show_what_they_hold() -> None:
    scenes = Scenes((("one", 1.0),), HELD_OUT)
    right = []
    for number in range(100):
        (thing,) = scenes.scene(number).things
        assert isinstance(thing, Thing)
        shown = scenes.render(number)
        assert shape_shown(shown.semantic) == thing.shape
        right.append(colour_shown(shown.image, shown.semantic) == thing.colour)
    assert sum(right) >= 95


def test_the_colour_of_one_of_two_shapes() -> None:
    scenes = Scenes((("two", 1.0),), HELD_OUT)
    shown, things = scenes.render(0), scenes.scene(0).things
    for thing in things:
        assert isinstance(thing, Thing)
        assert colour_shown(shown.image, shown.semantic, thing.shape) == thing.colour


def test_an_empty_table_shows_nothing() -> None:
    classes = torch.ones(64, 64, dtype=torch.uint8).numpy()
    assert shape_shown(classes) is None
    assert colour_shown(Scenes().render(0).image, classes) is None


def test_what_has_no_colour_of_ours_has_none() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    classes = np.full((64, 64), class_number("ball"), np.uint8)
    assert colour_shown(grey, classes) is None
    grey[:20] = (220, 20, 20)
    assert colour_shown(grey, classes) == "red"


def test_every_hole_has_a_thing_in_it() -> None:
    shown = emptied([0, 60, 197])
    assert (shown.holes.sum(dim=(1, 2, 3)) > 0).all()
    changed = (shown.pictures - shown.behind).abs() * shown.holes
    assert (changed.amax(dim=(1, 2, 3)) > 0.1).all()


def test_overlap_of_boxes_by_hand() -> None:
    inside = np.zeros((10, 10), bool)
    inside[2:4, 0:4] = True
    assert overlap(inside, [0.0, 0.2, 0.4, 0.4]) == pytest.approx(1)
    assert overlap(inside, [0.2, 0.2, 0.6, 0.4]) == pytest.approx(1 / 3)
    assert overlap(inside, [0.5, 0.5, 0.9, 0.9]) == overlap(inside[:1], [0, 0, 1, 1]) == 0


@pytest.mark.slow
def test_an_untrained_family_is_measured_and_found_wanting(untrained: Path) -> None:
    figures = list(measure_family(untrained, share=0.02))
    assert {figure.part for figure in figures} == family(untrained).keys()
    assert not any(figure.reached for figure in figures if figure.floor is not None)
    assert all(np.isfinite(figure.value) for figure in figures)


def test_what_lacks_a_part_that_it_takes_is_not_measured(untrained: Path, tmp_path: Path) -> None:
    for name in ("judges", "unet", "latent_judges"):
        (tmp_path / name).symlink_to(untrained / name)
    assert {figure.part for figure in measure_family(tmp_path, share=0.004)} == {"judges"}


def test_nothing_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(NothingTrained, match="sluice train tabletop"):
        list(measure_family(tmp_path))


def test_a_figure_is_held_to_its_floor_from_its_own_side() -> None:
    figure = Figure("part", "name", 0.7, "nothing", 0.75)
    assert not figure.reached
    assert replace(figure, lower=True).reached
    assert replace(figure, floor=None).reached
