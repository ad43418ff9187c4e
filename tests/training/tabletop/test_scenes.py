"""That training sees the mixture it asks for, and nothing that it is judged on."""

from __future__ import annotations

import torch

from sluice.preprocess.tabletop.scene import Plate
from sluice.training.tabletop.scenes import HELD_OUT, TRAINING, Scenes, pixels


def test_laws_come_in_their_shares() -> None:
    scenes = Scenes((("one", 0.75), ("faces", 0.25)))
    plates = sum(any(isinstance(item, Plate) for item in scenes.scene(number).things) for number in range(400))
    assert 70 <= plates <= 130


def test_a_law_says_nothing_of_how_its_scenes_are_drawn_beyond_itself() -> None:
    """Were the law drawn as the scene's first number is, the heights of cameras would tell the laws apart."""
    scenes = Scenes((("one", 0.5), ("two", 0.5)))
    heights: dict[int, list[float]] = {1: [], 2: []}
    for number in range(400):
        scene = scenes.scene(number)
        heights[len(scene.things)].append(scene.camera.height)
    for found in heights.values():
        assert min(found) < 0.54
        assert max(found) > 0.66


def test_a_number_is_always_the_same_scene_and_steps_share_none() -> None:
    scenes = Scenes()
    assert scenes.scene(7) == scenes.scene(7) != scenes.scene(8)
    assert scenes.scene(7) != Scenes(seed=HELD_OUT).scene(7)
    assert scenes.seed == TRAINING
    assert [*scenes.of_step(0, 3), *scenes.of_step(1, 3)] == list(range(6))


def test_pixels_are_from_minus_one_to_one() -> None:
    shown = pixels([Scenes(size=32).render(0), Scenes(size=32).render(1)])
    assert shown.shape == (2, 3, 32, 32)
    assert shown.dtype == torch.float32
    assert -1 <= shown.min() < 0 < shown.max() <= 1
