from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sluice.infra.local import LocalStorage
from sluice.preprocess.record import decode_png
from sluice.preprocess.sources import Raw, SourceError
from sluice.preprocess.sources.coco_stuff import CocoStuff, CocoStuffConfig

Picture = Callable[..., bytes]

# One row of labels as stuffthingmaps write them: person, toothbrush's neighbour 90, first stuff 91, last stuff, void.
LABELS = np.array([[0, 1, 89, 90, 91, 181, 255]], np.uint8)
THINGS = [[255, 255, 255, 255, 0, 0, 0]]
# The same as the challenge's pixel maps: unlabelled, stuff, "other".
PIXELS = np.array([[0, 92, 182, 183]], np.uint8)


def grey(labels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG")
    return stream.getvalue()


def palette(labels: Any) -> bytes:
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette([(7 * value) % 256 for value in range(768)])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def release(root: Path, picture: Picture, split: str = "val") -> None:
    """Three images: five captions, none, and a map that is missing."""
    images = root / "images" / f"{split}2017"
    maps = root / "annotations" / f"{split}2017"
    images.mkdir(parents=True)
    maps.mkdir(parents=True)
    for number in (9, 25, 30):
        (images / f"{number:012d}.jpg").write_bytes(picture(number))
    for number in (9, 25):
        (maps / f"{number:012d}.png").write_bytes(grey(LABELS))
    captions = [{"id": 50 - n, "image_id": 9, "caption": f" caption {5 - n}.\n"} for n in range(5)]
    table = {
        "info": {},
        "licenses": [],
        "images": [{"id": n, "file_name": f"{n:012d}.jpg", "height": 24, "width": 32} for n in (9, 25, 30)],
        "annotations": captions,
    }
    (root / "annotations" / f"captions_{split}2017.json").write_text(json.dumps(table))


def source(root: Path | str, split: Any = "val") -> CocoStuff:
    return CocoStuff(CocoStuffConfig(uri=str(root), split=split))


def scan(root: Path | str) -> list[Raw]:
    coco = source(root)
    return list(coco.scan(list(coco.items())))


def test_images_with_all_captions_and_the_union_of_things(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    first, second, third = scan(tmp_path)
    assert first.address.uri == "images/val2017/000000000009.jpg"
    assert first.fields["raw"] == picture(9)
    assert json.loads(first.fields["raw.json"]) == {
        "captions": [f"caption {n}." for n in (1, 2, 3, 4, 5)],
        "origin": {"source": "coco_stuff", "split": "val", "uri": "images/val2017/000000000009.jpg"},
    }
    assert decode_png(first.fields["raw.mask"]).tolist() == THINGS
    assert json.loads(second.fields["raw.json"])["captions"] == []
    assert "no pixel map" in str(third.error)


@pytest.mark.parametrize("write", [grey, palette])
def test_pixelmaps_number_labels_otherwise(tmp_path: Path, picture: Picture, write: Callable[[Any], bytes]) -> None:
    release(tmp_path, picture)
    (tmp_path / "annotations" / "val2017").rename(tmp_path / "annotations" / "stuff_val2017_pixelmaps")
    for file in (tmp_path / "annotations" / "stuff_val2017_pixelmaps").iterdir():
        file.write_bytes(write(PIXELS))
    assert decode_png(scan(tmp_path)[0].fields["raw.mask"]).tolist() == [[0, 0, 0, 255]]


def test_a_map_that_is_no_label_map_is_an_error(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    (tmp_path / "annotations/val2017/000000000009.png").write_bytes(picture(1, "PNG"))
    whole = grey(LABELS)
    end = whole.rindex(b"IEND") - 4
    text = b"zTXtComment\0\0" + zlib.compress(bytes(PngImagePlugin.MAX_TEXT_CHUNK + 1))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    (tmp_path / "annotations/val2017/000000000025.png").write_bytes(whole[:end] + chunk + whole[end:])
    (tmp_path / "annotations/val2017/000000000030.png").write_bytes(b"broken")
    assert ["one label a pixel" in str(raw.error) for raw in scan(tmp_path)] == [True, True, True]


def test_a_bucket_reads_like_a_folder(tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]) -> None:
    release(tmp_path, picture)
    assert scan(uploaded(tmp_path))[:2] == scan(tmp_path)[:2]


def test_read_loads_only_what_is_asked_for(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    first = scan(tmp_path)[0]
    (mask,) = source(tmp_path).read([first.address], {"raw.mask"})
    (whole,) = source(tmp_path).read([first.address], {"raw", "raw.json", "raw.mask"})
    assert "raw.json" not in mask.fields
    assert whole == first


def test_captions_are_loaded_once_a_process(tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    release(tmp_path, picture)
    read: list[str] = []
    original = LocalStorage.read
    monkeypatch.setattr(LocalStorage, "read", lambda self, path: (read.append(path), original(self, path))[1])
    for _ in range(3):
        scan(tmp_path)
    assert read.count("annotations/captions_val2017.json") == 1


def test_a_changed_map_or_caption_changes_the_stamp(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    before = [item.stamp for item in source(tmp_path).items()]
    (tmp_path / "annotations/val2017/000000000009.png").write_bytes(grey(LABELS[:, :3]))
    mapped = [item.stamp for item in source(tmp_path).items()]
    assert (mapped[0] != before[0], mapped[1] != before[1]) == (True, False)
    captions = tmp_path / "annotations/captions_val2017.json"
    captions.write_text(captions.read_text() + " ")
    assert not set(mapped) & {item.stamp for item in source(tmp_path).items()}


def test_what_is_missing_is_named(tmp_path: Path, picture: Picture) -> None:
    with pytest.raises(SourceError, match=r"captions_val2017\.json"):
        list(source(tmp_path).items())
    release(tmp_path, picture)
    (tmp_path / "annotations" / "val2017").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match=r"pixel maps.*annotations/val2017 or .*stuff_val2017_pixelmaps"):
        list(source(tmp_path).items())


@pytest.mark.parametrize(
    "text", ['{"images": [', '{"images": []}', "[]", '{"images": [{}], "annotations": []}', "\udcff"]
)
def test_captions_that_are_none_are_named(tmp_path: Path, picture: Picture, text: str) -> None:
    release(tmp_path, picture)
    (tmp_path / "annotations/captions_val2017.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=r"annotations/captions_val2017\.json is damaged, or not COCO's captions"):
        scan(tmp_path)


def test_a_caption_that_is_no_text_is_a_warning(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    file = tmp_path / "annotations/captions_val2017.json"
    file.write_text(file.read_text().replace('" caption 5.\\n"', "5"))
    about = json.loads(scan(tmp_path)[0].fields["raw.json"])
    assert about["captions"] == [f"caption {n}." for n in (1, 2, 3, 4)]
    assert about["origin"]["warnings"] == ["captions_val2017.json: a caption is not a text but int"]


def test_captions_that_lie_elsewhere_are_not_read(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path / "coco", picture)
    captions = tmp_path / "coco/annotations/captions_val2017.json"
    captions.rename(tmp_path / "captions.json")
    captions.symlink_to(tmp_path / "captions.json")
    with pytest.raises(SourceError, match=r"captions_val2017\.json' is a symbolic link that leads out"):
        scan(tmp_path / "coco")
