"""That an identity fixes a face's look, and an expression moves its features."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, Scene, draw_scene, render
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.plate import landmarks
from sluice.preprocess.tabletop.scene import Expression, Identity, Plate

CALM = Expression(smile=0, turn=0, eyes=0.8, mouth=0, brows=0.4)


def face(index: int, **expression: float) -> Scene:
    """A lone plate in soft light before a plain wall, with a calm expression but for what is said."""
    law = replace(LAWS["faces"], styles=("soft",), walls=("plain",))
    scene = draw_scene(0, index, law)
    (plate,) = scene.things
    assert isinstance(plate, Plate)
    return replace(scene, things=(replace(plate, expression=replace(CALM, **expression)),))


def plate_of(scene: Scene) -> Plate:
    (plate,) = scene.things
    assert isinstance(plate, Plate)
    return plate


@pytest.mark.parametrize("field", [field.name for field in fields(Identity)])
def test_every_number_of_an_identity_shows(field: str) -> None:
    scene = face(1)
    plate = plate_of(scene)
    pictures = [
        render(replace(scene, things=(replace(plate, identity=replace(plate.identity, **{field: value})),))).image
        for value in (0.1, 0.9)
    ]
    changed = (np.abs(pictures[0].astype(int) - pictures[1]) > 12).any(axis=2)
    assert changed.sum() > 30


def test_expressions_move_what_they_name() -> None:
    calm = landmarks(plate_of(face(2)))
    smiling, turned = landmarks(plate_of(face(2, smile=1))), landmarks(plate_of(face(2, turn=1)))
    np.testing.assert_array_equal(smiling[:3], calm[:3])
    assert (smiling[3:, 1] > calm[3:, 1]).all()
    assert (turned[:, 0] > calm[:, 0]).sum() >= 4
    # The far eye draws nearer to the nose's side.
    assert np.ptp(turned[:2, 0]) < np.ptp(calm[:2, 0])


def test_closed_eyes_and_open_mouths_are_seen() -> None:
    def area(name: str, **expression: float) -> int:
        return int((render(face(3, **expression)).semantic == CLASSES.index(name)).sum())

    assert area("eye", eyes=0.0) < 0.6 * area("eye", eyes=1.0)
    assert area("mouth", mouth=1.0) > 1.5 * area("mouth", mouth=0.0)


def test_mouth_corners_are_where_the_mouth_ends() -> None:
    for smile in (-1.0, 0.0, 1.0):
        found = render(face(4, smile=smile), 256)
        rows, columns = np.nonzero(found.semantic == CLASSES.index("mouth"))
        corners = found.landmarks[0, 3:]
        assert corners[0, 0] == pytest.approx(columns.min(), abs=3)
        assert corners[1, 0] == pytest.approx(columns.max(), abs=3)
        assert corners[0, 1] == pytest.approx(rows[columns == columns.min()].mean(), abs=4)


def test_an_identity_is_recognised_across_expressions_and_turns() -> None:
    """The mean colours of hair, face and eyes find the face again among others, as a network could."""

    def look(scene: Scene) -> np.ndarray:
        found = render(scene)
        return np.concatenate([found.image[found.semantic == CLASSES.index(n)].mean(axis=0) for n in ("hair", "face")])

    known = np.array([look(face(i)) for i in range(12)])
    again = np.array([look(face(i, smile=0.8, turn=-0.6, brows=0.9)) for i in range(12)])
    nearest = ((known[None] - again[:, None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == np.arange(12)).mean() > 0.9
