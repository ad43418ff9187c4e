"""That judging is right on true pictures, and runs on the family as it is saved."""

from __future__ import annotations

from pathlib import Path

import torch

from sluice.flows.measure_tabletop import (
    colour_shown,
    measure_autoencoder,
    measure_encoders,
    measure_parser,
    measure_unet,
    shape_shown,
)
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


def test_an_empty_table_shows_nothing() -> None:
    classes = torch.ones(64, 64, dtype=torch.uint8).numpy()
    assert shape_shown(classes) is None
    assert colour_shown(Scenes().render(0).image, classes) is None


def test_an_untrained_family_is_measured_and_found_wanting(tmp_path: Path) -> None:
    for part in family(tmp_path).values():
        part.save(part.network(tmp_path), tmp_path)
    with torch.no_grad():
        figures = [
            *measure_autoencoder(tmp_path, 10),
            *measure_encoders(tmp_path, 1),
            *measure_parser(tmp_path, 10),
            *measure_unet(tmp_path, 4),
        ]
    assert {figure.part for figure in figures} == {"vae", "encoders", "parser", "unet"}
    assert all(figure.value < figure.floor for figure in figures if figure.floor is not None)
