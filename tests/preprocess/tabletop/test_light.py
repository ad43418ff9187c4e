"""That light comes from where it is said to come from, and shadows fall to the other side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, Scene, draw_scene, render
from sluice.preprocess.tabletop.light import AMBIENT, shade
from sluice.preprocess.tabletop.relief import Relief
from sluice.preprocess.tabletop.scene import Light

LAW = replace(
    LAWS["one"], shapes=("bottle",), colours=("red",), textures=("plain",), styles=("soft",), depth=(0.3, 0.4), spread=0
)


def bottle(across: float, back: float = 0.5) -> Scene:
    return replace(draw_scene(0, 0, LAW), light=Light(across, back))


@pytest.mark.parametrize("across", [-0.6, 0.6])
def test_a_shadow_falls_away_from_the_light(across: float) -> None:
    found = render(bottle(across))
    left, _, right, _ = found.boxes[0]
    columns = (found.shadow > 0.3).nonzero()[1]
    assert (columns.mean() - (left + right) / 2) * across > 0


def test_the_side_towards_the_light_is_brighter() -> None:
    picture = render(bottle(0.6)).image.astype(float)
    mirrored = render(bottle(-0.6)).image.astype(float)
    rows = slice(70, 100)
    inside = render(bottle(0.6)).instances[rows] == 2
    columns = np.broadcast_to(np.arange(128), inside.shape)
    middle = columns[inside].mean()
    left, right = inside & (columns < middle - 2), inside & (columns > middle + 2)
    for image, lit, dark in ((picture, left, right), (mirrored, right, left)):
        assert image[rows][lit].mean() > image[rows][dark].mean() + 10


def test_a_low_light_throws_the_shadow_up_the_wall() -> None:
    scene = bottle(0.3, back=3.0)
    found = render(scene)
    on_wall = (found.shadow > 0.2) & (found.instances == 0)
    assert on_wall.sum() > 20
    assert not ((render(bottle(0.3, back=0.3)).shadow > 0.2) & (found.instances == 0)).any()


def test_shade_grows_towards_the_light_and_shines_only_there() -> None:
    turn = np.linspace(-0.95, 0.95, 39, dtype=np.float32)[None, :]
    relief = Relief(turn, np.full_like(turn, 0.45), np.zeros_like(turn))
    lit = shade(relief, Light(0.7, 0.5))[0]
    peak = int(lit.argmax())
    assert turn[0, peak] < 0
    assert (np.diff(lit[peak:]) <= 1e-6).all()
    assert lit.min() >= AMBIENT - 1e-6
    assert (lit > 1).mean() < 0.5
    shallow = shade(relief, Light(0.7, 0.5), depth=0.15)[0]
    assert shallow.min() > 0.9
