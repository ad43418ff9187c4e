"""The tabletop as a source: what it lists, what it hands over, what it refuses, and a build from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.preprocess.perception.geometry import plan_geometry
from sluice.preprocess.perception.given import given
from sluice.preprocess.planning.config import ConfigError, DatasetConfig, load_config, make_source
from sluice.preprocess.record import Array, decode_png
from sluice.preprocess.shards import read_shard
from sluice.preprocess.sources import Address, Raw
from sluice.preprocess.sources.tabletop import Tabletop, TabletopConfig
from sluice.preprocess.tabletop import LAWS, captions, draw_scene, render
from sluice.preprocess.tabletop.classes import CLASSES, in_colours
from tests.preprocess.builds import build_here


def source(count: int = 3, **options: Any) -> Tabletop:
    return Tabletop(TabletopConfig(uri=str(count), **options))


def scan(tabletop: Tabletop) -> list[Raw]:
    return list(tabletop.scan(list(tabletop.items())))


def about(raw: Raw) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(raw.fields["raw.json"])
    return value


def test_scenes_are_listed_by_number_without_being_rendered() -> None:
    items = list(source(4000).items())
    assert len(items) == 4000
    assert [item.uri for item in items] == sorted(item.uri for item in items)
    assert (items[0].uri, items[-1].uri) == ("00000000.png", "00003999.png")
    assert {item.images for item in items} == {1}


def test_the_stamp_changes_with_all_that_changes_a_picture_and_with_nothing_else() -> None:
    stamps = {next(source(n, **options).items()).stamp for n in (2, 9) for options in ({}, {"seed": 0}, {"size": 128})}
    assert len(stamps) == 1
    changed = [next(source(**options).items()).stamp for options in ({"seed": 1}, {"size": 64}, {"law": "one"})]
    assert len({*stamps, *changed}) == 4


def test_a_scene_comes_with_its_picture_its_captions_and_its_whole_truth() -> None:
    raws = scan(source(2, seed=5, size=96))
    for index, raw in enumerate(raws):
        scene = draw_scene(5, index)
        found = render(scene, 96)
        assert set(raw.fields) == {"raw", "raw.json", *Tabletop.companions}
        np.testing.assert_array_equal(decode_png(raw.fields["raw"]), found.image)
        assert about(raw)["captions"] == captions(scene, 3)
        origin = about(raw)["origin"]
        assert (origin["source"], origin["uri"]) == ("tabletop", raw.address.uri)
        assert origin["scene"] == json.loads(json.dumps(scene.to_json()))
        assert origin["boxes"] == found.boxes.tolist()
        assert origin["keypoints"] == found.keypoints.round(2).tolist()


def test_read_gives_what_scan_gave() -> None:
    tabletop = source(3)
    first, second, third = scan(tabletop)
    assert list(tabletop.read([third.address, first.address], set(first.fields))) == [third, first]
    (bare,) = tabletop.read([second.address], {"raw"})
    assert set(bare.fields) == {"raw"}
    assert bare.fields["raw"] == second.fields["raw"]


def test_a_scene_does_not_depend_on_how_many_there_are() -> None:
    address = Address("00000001.png", "00000001.png")
    assert list(source(2).read([address], {"raw"})) == list(source(5000).read([address], {"raw"}))


def test_the_foreground_is_the_nearest_thing_and_the_background_lacks_it() -> None:
    (raw,) = scan(source(1, law="two"))
    scene = draw_scene(0, 0, LAWS["two"])
    nearest = min((0, 1), key=lambda k: scene.things[k].z)
    assert about(raw)["origin"]["nearest"] == nearest
    mask = decode_png(raw.fields["raw.mask"])
    np.testing.assert_array_equal(mask == 255, render(scene).instances == nearest + 2)
    np.testing.assert_array_equal(decode_png(raw.fields["raw.background"]), render(scene.without(nearest)).image)


def test_depths_are_inverse_and_span_the_whole_range() -> None:
    (raw,) = scan(source(1, law="one"))
    scene = draw_scene(0, 0, LAWS["one"])
    mask = decode_png(raw.fields["raw.mask"]) == 255
    for name, truth in (("raw.depth", render(scene)), ("raw.bg_depth", render(scene.without(0)))):
        depth = decode_png(raw.fields[name])
        assert depth.dtype == np.uint16
        assert (depth.min(), depth.max()) == (0, 65535)
        near, far = (1 / truth.depth.astype(float)).max(), (1 / truth.depth.astype(float)).min()
        np.testing.assert_allclose(depth / 65535, (1 / truth.depth - far) / (near - far), atol=1e-4)
    foreground = decode_png(raw.fields["raw.fg_depth"])
    assert (foreground[~mask] == 0).all()
    assert foreground[mask].min() > 0
    assert foreground.max() == 65535


def test_segments_leave_zero_to_the_uncovered_rest() -> None:
    (raw,) = scan(source(1))
    segments = decode_png(raw.fields["raw.segments"])
    assert segments.dtype == np.uint16
    np.testing.assert_array_equal(segments, render(draw_scene(0, 0)).instances + 1)


def test_a_figures_pose_is_told_and_drawn() -> None:
    raws = scan(source(3, law="figures"))
    for raw in raws:
        (person,) = json.loads(raw.fields["raw.pose.json"])["people"]
        assert len(person["points"]) == 18
        drawn = decode_png(raw.fields["raw.pose"])
        x, y, seen = max(person["points"], key=lambda point: point[2])
        assert seen == 1
        assert drawn[round(y), round(x)].any()
    (nobody,) = scan(source(1, law="one"))
    assert json.loads(nobody.fields["raw.pose.json"]) == {"people": []}
    assert not decode_png(nobody.fields["raw.pose"]).any()


@pytest.mark.parametrize("field", ["depth", "mask", "segments", "pose", "background", "fg_depth", "bg_depth"])
def test_ready_conditions_come_as_the_given_stage_takes_them(field: str) -> None:
    (raw,) = scan(source(1, law="figures"))
    geometry = plan_geometry((128, 128), 64)
    taken: Array = given(field, raw.fields[f"raw.{field}"], geometry)
    assert taken.shape[:2] == (64, 64)
    assert taken.any()


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("tabletop:many", [], "expected how many scenes to render"),
        ("tabletop:0", [], "expected how many scenes to render, 1 to"),
        ("tabletop:-3", [], "expected how many scenes"),
        ("tabletop:5", ["source.law=face"], "no such law; there are: tabletop, objects, one"),
        ("tabletop:5", ["source.size=4"], "source: size: "),
        ("tabletop:5", ["source.seed=-1"], "source: seed: "),
        ("tabletop:5", ["source.sede=1"], "did you mean 'seed'"),
    ],
)
def test_what_cannot_be_rendered_is_refused(tmp_path: Path, text: str, settings: list[str], says: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("source: {kind: folder, uri: x}\nstages: {image: {}}\n")
    config = load_config(path, settings, source=text)
    with pytest.raises(ConfigError, match=says):
        make_source(config)


def test_a_data_set_is_built_from_the_truths(tmp_path: Path) -> None:
    stages = {
        "image": {"size": 64, "min_side": 0},
        "given": {"conditions": ["segments", "depth", "pose", "mask"]},
        "canny": {},
    }
    values = {"source": {"kind": "tabletop", "uri": "5"}, "out": str(tmp_path), "stages": stages, "shard_size": 3}
    _, version = build_here(DatasetConfig.model_validate({"name": "small", **values}))
    assert version.manifest["counts"]["records"] == 5
    records = [fields for tar in tmp_path.glob("datasets/**/*.tar") for _, fields in read_shard(tar.open("rb"))]
    assert len(records) == 5
    for fields in records:
        origin = json.loads(fields["json"])["origin"]
        truth = render(draw_scene(0, int(origin["uri"].removesuffix(".png"))))
        labels = decode_png(fields["segments.png"])
        assert (labels == truth.instances[1::2, 1::2] + 1).mean() > 0.95
        assert decode_png(fields["depth.png"]).dtype == np.uint16


def test_parts_are_classes_in_colours_of_which_none_is_black_or_anothers() -> None:
    (raw,) = scan(source(1, size=64))
    found = render(draw_scene(0, 0), 64)
    shown = given("parts", raw.fields["raw.parts"], plan_geometry((64, 64), 64))
    every = in_colours(np.arange(len(CLASSES))[None])
    told = (shown[:, :, None] == every[None]).all(axis=3)
    assert (told.sum(axis=2) == 1).all()
    np.testing.assert_array_equal(told.argmax(axis=2), found.semantic)
    assert every.max(axis=1).min() > 100
