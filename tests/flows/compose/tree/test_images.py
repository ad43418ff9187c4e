"""Images that are no files: drawn scenes with all that is known of them, and fields of records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sluice.flows.compose.run.pictures import MadeOf
from sluice.flows.compose.tree.images import digest_of, pixels_of
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.nodes import Image, OfRecord, OfScene, Scene, Seen, image_of
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights, pull
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.hed import load_hed, soft_edges
from sluice.preprocess.record import encode_png
from sluice.preprocess.shards import write_shard
from sluice.preprocess.sources.stored import LARGEST_FILE
from sluice.preprocess.tabletop import LAWS, draw_scene, render
from tests.preprocess.hed_file import write_hed
from tests.preprocess.perception.test_decode_refused import bomb
from tests.shelf import PACKAGE, Shelf

KEY, SIZE = "00000000000000aa", 64
SCENE = draw_scene(0, 7, LAWS["figures"])


def drawn(field: str, scene: int = 7, size: int = SIZE) -> np.ndarray:
    return pixels_of(image_of({"drawn": {"scene": scene, "law": "figures", "field": field}}), Path(), size)


def grey(field: str) -> np.ndarray:
    pixels = drawn(field)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("field", sorted(set(get_args(Seen)) - {"hed"}))
def test_every_field_of_a_scene_is_drawn_at_the_size_of_the_pictures(field: str) -> None:
    for size in (32, SIZE):
        pixels = drawn(field, size=size)
        assert pixels.shape == (size, size, 3)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() < pixels.max() <= 1
    assert not np.array_equal(drawn(field), drawn(field, scene=8))


def test_fields_are_what_the_renderer_knows_and_the_stages_see() -> None:
    true = render(SCENE, SIZE)
    assert np.array_equal(drawn("image") * 255, true.image)
    assert np.array_equal(grey("canny") * 255, canny(true.image))
    nearest = true.instances == SCENE.nearest() + 2
    assert np.array_equal(grey("mask") > 0, nearest)
    assert not grey("fg_depth")[~nearest].any()
    depth = grey("depth")
    assert np.corrcoef(depth.ravel(), 1 / true.depth.ravel())[0, 1] > 0.9999
    assert np.abs(drawn("background")[nearest] - drawn("image")[nearest]).mean() > 0.05
    assert np.array_equal(drawn("background"), render(SCENE.without(SCENE.nearest()), SIZE).image / np.float32(255))


def test_soft_edges_of_a_scene_are_hed_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_hed = write_hed(tmp_path / "tiny.weights.h5")
    Shelf(tmp_path, monkeypatch).list("hed", PACKAGE, tiny_hed.read_bytes(), form="keras-h5")
    with pytest.raises(MissingWeights, match="`sluice models pull hed`"):
        drawn("hed")
    pull("hed", str(tiny_hed))
    (edges,) = soft_edges(load_hed(tiny_hed, torch.device("cpu"), torch.float32), render(SCENE, SIZE).image[None])
    assert np.array_equal(grey("hed") * 255, edges)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Merged shards as they are exported, of one record with edges and a depth of 16 bits."""
    folder = tmp_path_factory.mktemp("shards")
    write_record(folder / "00000.tar", KEY, depth=0.2)
    return folder


def write_record(tar: Path, key: str, depth: float) -> None:
    fields = {"canny.png": encode_png(np.eye(SIZE, dtype=np.uint8) * 255)}
    fields["depth.png"] = encode_png(np.full((SIZE, SIZE), round(65535 * depth), np.uint16))
    write_shard(tar, [(key, fields)])
    pq.write_table(pa.table({"key": [key], "split": ["validation"]}), tar.with_suffix(".parquet"))


@pytest.mark.parametrize("of", ["", "/00000.tar"])
def test_a_field_of_a_record_is_read_of_a_data_set_or_of_a_tar(of: str, shards: Path) -> None:
    def read(field: str, record: str = KEY) -> np.ndarray:
        return pixels_of(OfRecord(record=record, of=f"{shards.name}{of}", field=field), shards.parent, SIZE)

    assert np.array_equal(read("canny")[..., 1], np.eye(SIZE))
    assert read("depth.png") == pytest.approx(0.2)
    with pytest.raises(ConfigError, match=r"has no hed\.png; did you mean 'depth\.png'"):
        read("hed")
    with pytest.raises(ConfigError, match="holds no record 00000000000000bb, of which the job names canny"):
        read("canny", "00000000000000bb")


def test_where_records_lie_is_read_again_where_shards_changed(tmp_path: Path) -> None:
    def read(key: str) -> np.ndarray:
        return pixels_of(OfRecord(record=key, of=".", field="depth"), tmp_path, SIZE)

    write_record(tmp_path / "00000.tar", KEY, depth=0.2)
    assert read(KEY) == pytest.approx(0.2)
    write_record(tmp_path / "00001.tar", "b" * 16, depth=0.6)
    assert read("b" * 16) == pytest.approx(0.6)
    write_record(tmp_path / "00000.tar", KEY, depth=0.4)
    assert read(KEY) == pytest.approx(0.4)


def test_a_picture_tells_the_digest_of_each_image(shards: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "edges.png"), np.zeros((SIZE, SIZE), np.uint8))
    images: list[Image] = [
        Path("edges.png"),
        OfScene(drawn=Scene(scene=7, field="canny")),
        OfRecord(record=KEY, of=str(shards), field="canny"),
    ]
    controls = [{"network": "tabletop/judges", "image": own} for own in images]
    model = {"kind": "multi_controlnet", "controls": controls}
    plain = {"prompts": ["a"], "picture": {"kind": "ddim", "of": {"kind": "guided", "model": model}}}
    made_of = MadeOf(tmp_path)(Job.model_validate(plain), "none")
    told = [
        "edges.png",
        "canny of scene 7, law tabletop, seed 0, 64 px",
        f"canny of record {KEY} of {shards}",
    ]
    assert [made_of[name] for name in told] == [digest_of(own, tmp_path, SIZE) for own in images]
    other = OfScene(drawn=Scene(scene=8, field="canny"))
    assert len({digest_of(own, tmp_path, SIZE) for own in (*images, other)}) == 4
    with pytest.raises(ConfigError, match=r"nowhere\.png, a condition of the job, is not there"):
        digest_of(Path("nowhere.png"), tmp_path, SIZE)


def test_an_image_of_a_job_is_judged_by_its_header_before_it_is_decoded(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), np.full((2, 3, 3), 255, np.uint8))
    assert pixels_of(Path("small.png"), tmp_path, SIZE).shape == (2, 3, 3)
    (tmp_path / "bomb.png").write_bytes(bomb(10_000, 9_000))
    with pytest.raises(ConfigError, match=r"bomb\.png, a condition of the job, is no image that .*10000 x 9000 pixels"):
        pixels_of(Path("bomb.png"), tmp_path, SIZE)


def test_what_might_be_read_without_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.tar")
    for file in (Path("/dev/zero"), Path("pipe.png"), Path()):
        with pytest.raises(ConfigError, match=r"a condition of the job, .*it is a folder, a pipe or a device"):
            pixels_of(file, tmp_path, SIZE)
    with (tmp_path / "large.png").open("wb") as large:
        large.truncate(LARGEST_FILE + 1)
    with pytest.raises(ConfigError, match=r"large\.png.*its 536870913 bytes are more than the 536870912 that one file"):
        pixels_of(Path("large.png"), tmp_path, SIZE)
    with pytest.raises(ConfigError, match=r"pipe\.tar, of which the job names record a, is not there, or is no file"):
        pixels_of(OfRecord(record="a", of="pipe.tar"), tmp_path, SIZE)


@pytest.mark.parametrize(
    ("field", "data", "said"),
    [
        ("pose.json", b"{}", "it is people: 18 COCO points each, in pixels; name an image, as in `field: image`"),
        ("clip.npy", b"", "it is CLIP embedding of the image; name an image"),
        ("own.cls", b"7", "the field 'own.cls' has no known suffix"),
        ("image", b"\xff\xd8\xff", "is no image that can be read"),
        ("canny", encode_png(np.eye(SIZE, dtype=np.uint8))[:60], "not a readable PNG"),
        ("depth", bomb(10_000, 9_000), "10000 x 9000 pixels are more than"),
        ("own.png", cv2.imencode(".png", np.zeros((2, 2, 4), np.uint8))[1].tobytes(), "it has 4 channels"),
    ],
)
def test_a_field_that_is_no_picture_is_said(
    field: str, data: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"image": "jpg", "canny": "canny.png", "depth": "depth.png"}.get(field, field)
    write_shard(tmp_path / "made.tar", [(KEY, {name: data})])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"^{name} of record {KEY} of {tmp_path}/made\.tar, a condition of the job,"
    ) as no:
        pixels_of(OfRecord(record=KEY, of="made.tar", field=field), Path(), SIZE)
    assert said in str(no.value)
