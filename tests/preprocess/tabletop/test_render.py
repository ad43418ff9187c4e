"""The renderer's truths against each other, and the same bytes from the same numbers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, Rendered, Scene, background, draw_scene, render
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.grid import Array, Grid
from sluice.preprocess.tabletop.render import FIRST
from sluice.preprocess.tabletop.scene import Figure, Plate, Thing

# For so many pixels beyond its mask the tip of a star covers less than half of each.
SOFTEST = 3
ROOT = Path(__file__).parents[3]
CROWDED = replace(LAWS["tabletop"], objects=(4, 6), figure=1, plate=1)
# Change it together with VERSION of preprocess/tabletop/__init__.py, when pictures or truths are meant to change.
DIGEST = "2e5734a6023cfaa0"


def digest() -> str:
    """Over every truth of ten scenes."""
    found = hashlib.sha256()
    for index in range(10):
        rendered = render(draw_scene(0, index, CROWDED if index % 2 else LAWS["tabletop"]), 96)
        for field in fields(Rendered):
            found.update(np.ascontiguousarray(getattr(rendered, field.name).round(6)).tobytes())
    return found.hexdigest()[:16]


def alone(scene: Scene, k: int) -> Rendered:
    return render(replace(scene, things=(scene.things[k],)))


def empty(scene: Scene) -> Rendered:
    return render(replace(scene, things=()))


def grown(mask: Array, by: int) -> Array:
    """A mask and whatever is within so many pixels of it, up, across or diagonally."""
    padded = np.pad(mask, by)
    height, width = mask.shape
    shifts = range(2 * by + 1)
    return np.logical_or.reduce([padded[y : y + height, x : x + width] for y in shifts for x in shifts])


def test_ten_scenes_are_what_they_were() -> None:
    assert digest() == DIGEST


@pytest.mark.parametrize("processor", ["this one", "one without vector extensions"])
def test_another_process_makes_the_same_bytes(processor: str) -> None:
    """Whose sines and exponentials differ in the last bit between such processors: the renderer uses none."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]["found"] if processor != "this one" else []
    code = "from tests.preprocess.tabletop.test_render import digest; print(digest())"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(extensions)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    assert done.stdout.strip() == digest()


def test_a_scene_is_the_same_whatever_was_drawn_before() -> None:
    first = render(draw_scene(4, 9))
    for index in range(3):
        render(draw_scene(8, index), (40, 64))
    again = render(draw_scene(4, 9))
    assert draw_scene(4, 9) == draw_scene(4, 9) != draw_scene(4, 10) != draw_scene(5, 10)
    for field in fields(Rendered):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


@pytest.mark.parametrize("index", range(6))
def test_masks_partition_the_picture_and_classes_follow_instances(index: int) -> None:
    scene = draw_scene(1, index, CROWDED)
    found = render(scene)
    assert set(np.unique(found.instances)) <= set(range(FIRST + len(scene.things)))
    assert (found.semantic[found.instances < FIRST] == found.instances[found.instances < FIRST]).all()
    for k, thing in enumerate(scene.things):
        names = {CLASSES[c] for c in np.unique(found.semantic[found.instances == k + FIRST])}
        if isinstance(thing, Thing):
            assert names <= {thing.shape}
        elif isinstance(thing, Figure):
            assert names <= {"figure"}
        else:
            assert names <= {"plate", "face", "hair", "brow", "eye", "nose", "mouth"}


@pytest.mark.parametrize("index", range(6))
def test_of_the_things_at_a_pixel_the_nearest_is_seen(index: int) -> None:
    scene = draw_scene(1, index, CROWDED)
    found, room = render(scene), empty(scene)
    singles = [alone(scene, k) for k in range(len(scene.things))]
    depths = np.stack([np.where(one.instances == FIRST, one.depth, np.inf) for one in singles])
    covered = np.isfinite(depths).any(axis=0)
    np.testing.assert_array_equal(found.instances, np.where(covered, depths.argmin(axis=0) + FIRST, room.instances))
    np.testing.assert_array_equal(found.depth, np.where(covered, depths.min(axis=0), room.depth))


def test_depth_is_metric_and_follows_the_camera() -> None:
    scene = draw_scene(2, 0)
    room = empty(scene)
    assert (room.depth[room.instances == 0] == np.float32(scene.camera.wall)).all()
    table = np.where(room.instances == 1, room.depth, np.nan)[:, 64]
    rows = np.flatnonzero(np.isfinite(table))
    # A point of the table at that depth is seen in that row.
    for row in rows[::10]:
        down = scene.camera.place(0, 0, float(table[row]))[1]
        assert down * 128 + 63.5 == pytest.approx(row, abs=1e-2)


@pytest.mark.parametrize("index", range(8))
def test_the_background_differs_only_where_the_thing_and_its_shadow_are(index: int) -> None:
    scene = draw_scene(6, index)
    found = render(scene)
    for k in range(len(scene.things)):
        behind, single = background(scene, k), alone(scene, k)
        touched = grown(single.instances == FIRST, SOFTEST) | (single.shadow > 0)
        np.testing.assert_array_equal(behind.image[~touched], found.image[~touched])
        assert k + FIRST not in found.instances or (behind.image != found.image).any()
        assert len(behind.boxes) == len(found.boxes) - 1


def test_a_lone_things_background_is_the_empty_room() -> None:
    scene = draw_scene(0, 0, LAWS["one"])
    np.testing.assert_array_equal(background(scene, 0).image, empty(scene).image)
    with pytest.raises(IndexError, match="has 1 things"):
        background(scene, 1)


def test_boxes_hold_what_is_seen() -> None:
    scene = draw_scene(1, 3, CROWDED)
    found = render(scene)
    for k in range(len(scene.things)):
        rows, columns = np.nonzero(found.instances == k + FIRST)
        if len(rows):
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert found.visible_boxes[k].tolist() == expected
        whole, seen = found.boxes[k], found.visible_boxes[k]
        np.testing.assert_array_equal(whole, alone(scene, k).visible_boxes[0])
        assert (whole[:2] <= seen[:2]).all() or not seen.any()
        assert (whole[2:] >= seen[2:]).all()


@pytest.mark.parametrize("size", [8, 64, 200, (48, 128), (128, 48), (33, 57)])
def test_any_size(size: int | tuple[int, int]) -> None:
    shape = (size, size) if isinstance(size, int) else size
    for index in range(3):
        found = render(draw_scene(0, index, CROWDED), size)
        assert found.image.shape == (*shape, 3)
        assert found.image.dtype == np.uint8
        assert found.depth.shape == found.instances.shape == found.semantic.shape == shape
        assert found.depth.dtype == np.float32
        assert 0.4 < found.depth.min() <= found.depth.max() < 2.3


def test_sizes_show_the_same_scene() -> None:
    scene = draw_scene(0, 2)
    small, large = render(scene, 64), render(scene, 192)
    averaged = large.image.reshape(64, 3, 64, 3, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small.image).mean() < 8
    assert (large.instances[1::3, 1::3] == small.instances).mean() > 0.97


@pytest.mark.parametrize("index", range(12))
def test_no_window_cuts_a_thing_or_its_shadow_off(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn over the whole picture instead of within its window, every scene looks the same."""
    scene = draw_scene(9, index, CROWDED)
    found = render(scene)
    monkeypatch.setattr(Grid, "window", lambda self, *_: (slice(0, self.height), slice(0, self.width)))
    whole = render(scene)
    for field in fields(Rendered):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(whole, field.name), err_msg=field.name)


def test_too_small_a_picture_says_so() -> None:
    with pytest.raises(ValueError, match="4 x 40 pixels is too small"):
        render(draw_scene(0, 0), (4, 40))


def test_points_lie_on_what_they_are_points_of() -> None:
    scene = draw_scene(1, 2, CROWDED)
    doll = next(k for k, thing in enumerate(scene.things) if isinstance(thing, Figure))
    face = next(k for k, thing in enumerate(scene.things) if isinstance(thing, Plate))
    one, other = alone(scene, doll), alone(scene, face)
    assert one.keypoints.shape == (1, 18, 3)
    assert one.landmarks.shape == (0, 5, 3)
    columns, rows = one.keypoints[0, :, :2].round().astype(int).T
    assert (one.instances[rows, columns] == FIRST).mean() > 0.9
    assert one.keypoints[0, :, 2].mean() > 0.9
    columns, rows = other.landmarks[0, :, :2].round().astype(int).T
    names = [CLASSES[c] for c in other.semantic[rows, columns]]
    assert names[:3] == ["eye", "eye", "nose"]


def test_hidden_points_are_not_in_sight() -> None:
    scene = draw_scene(1, 2, CROWDED)
    found = render(scene)
    doll = next(k for k, thing in enumerate(scene.things) if isinstance(thing, Figure))
    for x, y, seen in found.keypoints[0]:
        column, row = round(x), round(y)
        inside = 0 <= column < 128 and 0 <= row < 128
        assert bool(seen) == (inside and found.instances[row, column] == doll + FIRST)
