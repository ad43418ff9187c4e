"""That the figure's points follow its pose, and its picture follows its points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sluice.preprocess.perception.skeleton import POINTS
from sluice.preprocess.tabletop import LAWS, Scene, draw_scene, render
from sluice.preprocess.tabletop.figure import BALL, LEFT, RIGHT, joints
from sluice.preprocess.tabletop.grid import Array
from sluice.preprocess.tabletop.scene import Figure, Pose

HANGING = Pose(0, 0, (0.1, 0), (0.1, 0), (0.1, 0), (0.1, 0))


def point(points: Array, name: str) -> Array:
    return points[POINTS.index(name)]


def lone(pose: Pose) -> Scene:
    scene = draw_scene(0, 0, replace(LAWS["figures"], objects=(0, 0), styles=("soft",), depth=(0, 0), spread=0))
    (figure,) = scene.things
    assert isinstance(figure, Figure)
    return replace(scene, things=(replace(figure, pose=pose),))


def test_a_hanging_doll_stands_upright_and_facing() -> None:
    points = joints(HANGING)
    assert point(points, "right shoulder")[0] < 0 < point(points, "left shoulder")[0]
    assert point(points, "right eye")[0] < point(points, "left eye")[0]
    order = ("nose", "neck", "right elbow", "right wrist", "right knee", "right ankle")
    heights = [point(points, name)[1] for name in order]
    assert heights == sorted(heights, reverse=True)
    np.testing.assert_allclose(points[2:5] * (-1, 1), points[5:8], atol=1e-12)


def test_limbs_keep_their_length_in_every_pose() -> None:
    def lengths(pose: Pose) -> list[float]:
        points = joints(pose)
        return [float(np.linalg.norm(points[a] - points[b])) for a, b in ((2, 3), (3, 4), (8, 9), (9, 10), (12, 13))]

    bent = Pose(0.1, -1, (2.4, 0.5), (0.3, -0.6), (0.4, -0.3), (0.2, 0.1))
    assert lengths(bent) == pytest.approx(lengths(HANGING))
    assert min(joints(bent)[[10, 13], 1]) == pytest.approx(BALL)


def test_a_raised_arm_is_above_the_shoulder() -> None:
    points = joints(replace(HANGING, right_arm=(2.6, 0.2)))
    assert point(points, "right wrist")[1] > point(points, "neck")[1] > point(points, "left wrist")[1]


def test_right_and_left_joints_have_their_own_colours() -> None:
    found = render(lone(replace(HANGING, right_arm=(1.2, 0), left_arm=(1.2, 0))), 256)
    for name, colour in (("right wrist", RIGHT), ("left wrist", LEFT)):
        x, y, _ = found.keypoints[0, POINTS.index(name)].round().astype(int)
        pixel = found.image[y, x] / 255
        other = LEFT if colour is RIGHT else RIGHT
        assert np.abs(pixel - colour).sum() < 0.5 * np.abs(pixel - other).sum()
