"""Sight of the tabletop through judges whose answers are known, in images of any size."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.perception.tabletop import TabletopSight
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop import Rendered, draw_scene, render
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.render import FIRST

ROWS = {"parser": slice(0, 3), "depth": slice(3, 4), "pose": slice(4, 22)}


class Reader(nn.Module):
    """Reads red as a thing, green as metres, and every bright blue pixel as each of the 18 points."""

    def forward(self, pixels: Tensor) -> SimpleNamespace:
        red, green, blue = ((pixels + 1) / 2).unbind(dim=1)
        table = torch.zeros_like(red)
        logits = [0.5 - red, table - 9, red - 0.5, 4 * green, *[20 * (blue - 0.5)] * 18]
        return SimpleNamespace(logits=torch.stack(logits, dim=1)[..., ::2, ::2])


@pytest.fixture
def sight() -> TabletopSight:
    return TabletopSight(Judges(Reader(), ROWS, 1), torch.device("cpu"))


def scene(height: int, width: int) -> Array:
    """A far thing on the left, a near one on the right, the wall at three metres."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 1] = 191
    image[height // 4 : height // 2, width // 8 : width // 4] = (255, 128, 0)
    image[height // 2 : height * 3 // 4, width // 2 : width * 3 // 4] = (255, 64, 0)
    return image


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (96, 160), (48, 32)])
def test_the_nearest_thing_is_masked(sight: TabletopSight, size: tuple[int, int]) -> None:
    height, width = size
    mask = sight.nearest(scene(height, width))
    true = np.zeros(size, bool)
    true[height // 2 : height * 3 // 4, width // 2 : width * 3 // 4] = True
    assert set(np.unique(mask)) == {0, 255}
    found = mask > 0
    assert (found & true).sum() / (found | true).sum() > 0.75


def test_nothing_on_the_table_is_an_empty_mask(sight: TabletopSight) -> None:
    image = scene(64, 64)
    image[..., 0] = 0
    assert sight.nearest(image).max() == 0


@pytest.mark.parametrize("size", [(64, 64), (100, 130)])
def test_depth_is_inverse_metres(sight: TabletopSight, size: tuple[int, int]) -> None:
    height, width = size
    (inverse,) = sight.depth([scene(height, width)])
    assert inverse.shape == size
    assert inverse[0, 0] == pytest.approx(1 / 3, abs=0.01)
    assert inverse[height * 5 // 8, width * 5 // 8] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("side", [64, 128])
def test_the_figure_is_seen_where_its_points_are(sight: TabletopSight, side: int) -> None:
    image = np.zeros((side, side, 3), np.uint8)
    assert sight.people(image) == []
    scale = side // 64
    image[20 * scale : 22 * scale, 40 * scale : 42 * scale, 2] = 255
    (person,) = sight.people(image)
    assert person.points.shape == (18, 3)
    assert np.abs(person.points[:, 0] - (41 * scale - 0.5)).max() < scale
    assert np.abs(person.points[:, 1] - (21 * scale - 0.5)).max() < scale


class Oracle(nn.Module):
    """Knows a scene: its classes and depth, whatever it is shown."""

    def __init__(self, shown: Rendered) -> None:
        super().__init__()
        classes = torch.from_numpy(shown.semantic.astype(np.int64))
        logits = nn.functional.one_hot(classes, len(CLASSES)).permute(2, 0, 1).float()
        self.logits = torch.cat([logits, torch.from_numpy(shown.depth)[None]])[None]

    def forward(self, _: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits)


def test_things_that_touch_are_told_apart_by_their_classes() -> None:
    rows = {"parser": slice(0, len(CLASSES)), "depth": slice(len(CLASSES), len(CLASSES) + 1)}
    overlaps = []
    for index in range(60):
        scene = draw_scene(3, index)
        shown = render(scene, 64)
        nearest = scene.nearest()
        assert nearest is not None
        found = TabletopSight(Judges(Oracle(shown), rows, 1), torch.device("cpu")).nearest(shown.image) > 0
        true = shown.instances == nearest + FIRST
        overlaps.append((found & true).sum() / (found | true).sum())
    assert np.mean(overlaps) > 0.85
    assert np.mean(np.array(overlaps) > 0.75) > 0.85
