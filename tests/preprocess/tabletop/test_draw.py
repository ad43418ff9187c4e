"""That scenes keep to their law, stand where they can be seen, and that a law that cannot be is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, SceneLaw, draw_scene, law_named, render
from sluice.preprocess.tabletop.draw import DEPTH_GAP
from sluice.preprocess.tabletop.law import LawError
from sluice.preprocess.tabletop.patch import THICKNESS
from sluice.preprocess.tabletop.render import FIRST
from sluice.preprocess.tabletop.scene import Figure, Plate, Thing


def test_scenes_keep_to_their_law() -> None:
    law = SceneLaw(
        objects=(2, 3), shapes=("mug", "star"), colours=("red",), textures=("dotted",), walls=("brick",),
        tints=("sage",), tables=("oak",), styles=("flat",), figure=1, plate=0, size=(0.3, 0.31),
    )  # fmt: skip
    for index in range(20):
        scene = draw_scene(0, index, law)
        objects = [thing for thing in scene.things if isinstance(thing, Thing)]
        assert len(objects) in (2, 3)
        assert {(o.colour, o.texture) for o in objects} == {("red", "dotted")}
        assert {o.shape for o in objects} == {"mug", "star"}
        assert all(0.3 <= o.size <= 0.31 for o in objects)
        assert (scene.wall.pattern, scene.wall.tint, scene.table.material) == ("brick", "sage", "oak")
        assert scene.style == "flat"
        assert len(scene.things) == len(objects) + 1


def test_the_usual_law_uses_everything_it_has() -> None:
    law = LAWS["tabletop"]
    scenes = [draw_scene(0, i) for i in range(400)]
    objects = [thing for scene in scenes for thing in scene.things if isinstance(thing, Thing)]
    for used, allowed in (
        ([o.shape for o in objects], law.shapes),
        ([o.colour for o in objects], law.colours),
        ([o.texture for o in objects], law.textures),
        ([s.wall.pattern for s in scenes], law.walls),
        ([s.wall.tint for s in scenes], law.tints),
        ([s.table.material for s in scenes], law.tables),
        ([s.style for s in scenes], law.styles),
        ([str(sum(isinstance(t, Thing) for t in s.things)) for s in scenes], tuple("123456")),
    ):
        counts = [used.count(name) for name in allowed]
        assert sum(counts) == len(used)
        assert min(counts) > 0.6 * len(used) / len(allowed)
    for kind, share in ((Figure, law.figure), (Plate, law.plate)):
        found = np.mean([any(isinstance(t, kind) for t in s.things) for s in scenes])
        assert found == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("name", LAWS)
def test_things_stand_behind_each_other_by_more_than_they_bulge(name: str) -> None:
    largest = max(LAWS[name].size[1], 0.5 * LAWS[name].figure_size[1], 0.4 * LAWS[name].plate_size[1])
    assert largest * THICKNESS <= DEPTH_GAP
    for index in range(50):
        scene = draw_scene(1, index, LAWS[name])
        depths = sorted(thing.z for thing in scene.things)
        assert all(far - near >= DEPTH_GAP - 1e-9 for near, far in pairwise(depths))
        assert not depths or depths[-1] < scene.camera.wall


@pytest.mark.parametrize("depth", [(0, 0), (1, 1), (0.4, 0.5)])
def test_a_crowd_on_a_narrow_strip_stays_on_the_table(depth: tuple[float, float]) -> None:
    law = replace(LAWS["tabletop"], objects=(6, 6), figure=1, plate=1, depth=depth)
    for index in range(40):
        scene = draw_scene(3, index, law)
        for thing in scene.things:
            down = scene.camera.place(0, 0, thing.z)[1]
            assert down < 0.45
            assert thing.z < scene.camera.wall


def test_nearly_everything_is_seen() -> None:
    seen, whole = [], []
    for index in range(60):
        scene = draw_scene(2, index)
        found = render(scene, 96)
        for k in range(len(scene.things)):
            single = render(replace(scene, things=(scene.things[k],)), 96)
            whole.append((single.instances == FIRST).sum())
            seen.append((found.instances == k + FIRST).sum())
    shares = np.array(seen) / np.array(whole)
    assert min(whole) > 0
    assert np.mean(shares) > 0.8
    assert np.mean(shares > 0.25) > 0.95


def test_a_scene_is_plain_json() -> None:
    scene = draw_scene(0, 1, replace(LAWS["tabletop"], figure=1, plate=1))
    values = json.loads(json.dumps(scene.to_json()))
    assert [thing["kind"] for thing in values["things"][-2:]] == ["figure", "plate"]
    assert values["things"][-1]["identity"]["skin"] == scene.things[-1].identity.skin  # type: ignore[union-attr]
    assert values["camera"]["wall"] == scene.camera.wall


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("shapes", ("ball", "sphere"), "there is no 'sphere'; there are: ball, cube"),
        ("walls", (), "walls is empty"),
        ("objects", (3, 7), r"objects = \(3, 7\): expected .* 0 to 6"),
        ("objects", (4, 2), "from how many to how many"),
        ("figure", 1.5, "figure = 1.5: expected a number from 0 to 1"),
        ("size", (0.4, 0.2), "range of heights"),
        ("depth", (0.5, 2), "expected a range within 0"),
    ],
)
def test_a_law_that_cannot_be_is_refused(field: str, value: object, says: str) -> None:
    with pytest.raises(LawError, match=says):
        replace(LAWS["tabletop"], **{field: value})


def test_an_unknown_law_is_refused_with_the_known_ones() -> None:
    assert law_named("faces") is LAWS["faces"]
    with pytest.raises(LawError, match="no law 'face'; there are: tabletop, objects"):
        law_named("face")
