"""What denoisers are shown is what the scenes hold."""

from __future__ import annotations

import numpy as np
import torch

from sluice.preprocess.tabletop.render import FIRST, render
from sluice.preprocess.tabletop.scene import Plate, Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.training.tabletop.identity import same_face
from sluice.training.tabletop.judges import truths
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.seen import GROWN, PHRASES, hole, nearest_shape, phrase_of

SCENES = Scenes()


def test_a_hole_holds_the_thing_and_a_rim() -> None:
    scene = SCENES.scene(3)
    picture = render(scene, 64)
    for k in range(len(scene.things)):
        inside = picture.instances == k + FIRST
        own = hole(picture, k) > 0
        assert own[inside].all()
        rows, columns = np.nonzero(own & ~inside)
        there = np.argwhere(inside)
        for row, column in zip(rows[:50], columns[:50], strict=True):
            assert np.abs(there - [row, column]).max(axis=1).min() <= GROWN


def test_outside_its_hole_a_scene_without_a_thing_differs_by_shadow_alone() -> None:
    scene = SCENES.scene(5)
    with_it, without = render(scene, 64), render(scene.without(0), 64)
    outside = hole(with_it, 0) == 0
    changed = np.abs(with_it.image.astype(int) - without.image).max(axis=2) > 8
    unshadowed = np.abs(with_it.shadow - without.shadow) < 1e-3
    assert (changed & outside & unshadowed).mean() < 0.01


def test_the_nearest_object_gives_the_class() -> None:
    for number in range(30):
        scene = SCENES.scene(number)
        things = [thing for thing in scene.things if isinstance(thing, Thing)]
        shape = nearest_shape(scene)
        assert list(SHAPES)[shape] == min(things, key=lambda thing: thing.z).shape
    assert nearest_shape(Scenes((("faces", 1.0),)).scene(0)) == len(SHAPES)


def test_every_thing_has_a_phrase_without_colour() -> None:
    phrases = {phrase_of(thing) for number in range(60) for thing in SCENES.scene(number).things}
    assert phrases <= set(PHRASES)
    assert len(phrases) == len(PHRASES)


def test_the_same_face_is_in_another_scene() -> None:
    faces = Scenes((("faces", 1.0),))
    one, other = same_face(faces, 4)
    assert np.array_equal(one.image, faces.render(4).image)
    second, (mine, theirs) = faces.render(5), (plate(faces, number) for number in (4, 5))
    assert mine.identity != theirs.identity
    assert np.array_equal(other.boxes, second.boxes), "it stands where the other stood"
    assert not np.array_equal(other.image, second.image)


def plate(scenes: Scenes, number: int) -> Plate:
    return next(thing for thing in scenes.scene(number).things if isinstance(thing, Plate))


def test_truths_are_those_of_the_renderer() -> None:
    shown = [Scenes((("figures", 1.0),)).render(0), Scenes((("faces", 1.0),)).render(1)]
    truth = truths(shown)
    assert torch.equal(truth["parser"][0], torch.from_numpy(shown[0].semantic.astype(np.int64)))
    assert truth["pose"][0].numpy().tolist() == shown[0].keypoints[0].astype(np.float32).tolist()
    assert truth["pose"][1].abs().sum() == truth["landmarks"][0].abs().sum() == 0
    assert truth["landmarks"].shape == (2, 5, 3)
