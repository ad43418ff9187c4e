from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from pydantic import ValidationError

from sluice.preprocess.record import FIELDS, Array, Record, check_field, encode_json
from sluice.preprocess.stages.image import Image, ImageParameters, split_of


def photograph(width: int = 640, height: int = 480) -> Array:
    """Smooth colours with a bright disc a quarter in from the top left."""
    y, x = np.mgrid[:height, :width]
    picture = np.dstack([x * 200 // width, y * 200 // height, np.full_like(x, 60)]).astype(np.uint8)
    picture[(x - width // 4) ** 2 + (y - height // 4) ** 2 < (height // 10) ** 2] = 255
    return picture


def encoded(picture: Array, format: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    PillowImage.fromarray(picture).save(stream, format, **options)
    return stream.getvalue()


def record(data: bytes, *captions: str, **origin: Any) -> Record:
    digest = hashlib.sha256(data).hexdigest()
    about = {"captions": list(captions), "origin": {"source": "folder", "uri": "a.jpg", **origin}, "sha256": digest}
    return Record(digest[:16], {"raw": data, "raw.json": encode_json(about)})


def run(item: Record, **parameters: Any) -> Record:
    Image(ImageParameters(**parameters))([item])
    return item


def test_the_fields_of_a_record() -> None:
    data = encoded(photograph())
    made = run(record(data, "a disc", "another", duplicates=["b.jpg"]))
    assert made.rejection is None
    assert made["jpg"].shape == (512, 512, 3)
    assert made["txt"] == "a disc"
    assert made["json"] == {
        "key": made.key,
        "sha256": hashlib.sha256(data).hexdigest(),
        "origin": {"source": "folder", "uri": "a.jpg", "duplicates": ["b.jpg"]},
        "original": {"size": [640, 480], "mode": "RGB", "format": "JPEG"},
        "geometry": {"orientation": 1, "original": [640, 480], "resized": [683, 512], "crop": [85, 0, 512, 512]},
        "captions": ["a disc", "another"],
        "split": split_of(made.key, 0.02),
    }
    for name in Image.writes:
        assert check_field(name, made.encode(name), (512, 512)) is None
        assert FIELDS[name].decode(made.encode(name)) is not None


def test_the_picture_is_the_photograph_scaled_and_cropped() -> None:
    made = run(record(encoded(photograph(), "PNG")))["jpg"]
    expected = PillowImage.fromarray(photograph()).resize((683, 512), PillowImage.Resampling.BICUBIC)
    assert np.abs(made.astype(int) - np.asarray(expected)[:, 85:597]).mean() < 1


def test_a_large_jpeg_decoded_small_looks_the_same() -> None:
    large = photograph(2400, 1800)
    fast = run(record(encoded(large, quality=95)))["jpg"]
    whole = run(record(encoded(large, "PNG")))["jpg"]
    assert np.abs(fast.astype(int) - whole).mean() < 1.5


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_photograph_comes_upright(orientation: int) -> None:
    turns = {3: 2, 6: 1, 8: 3}[orientation]  # how far the camera was turned, against the clock
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(photograph(), turns)
    made = run(record(encoded(np.ascontiguousarray(stored), exif=exif, quality=95)))
    upright = run(record(encoded(photograph(), quality=95)))
    assert np.abs(made["jpg"].astype(int) - upright["jpg"]).mean() < 1.5
    assert made["json"]["geometry"]["orientation"] == orientation


def test_without_crop_the_aspect_stays() -> None:
    assert run(record(encoded(photograph())), crop="none", multiple_of=64)["jpg"].shape == (512, 640, 3)
    with pytest.raises(ValidationError, match="500 is not a multiple of multiple_of = 64"):
        ImageParameters(size=500, crop="none", multiple_of=64)


def test_the_same_bytes_every_time_in_any_company() -> None:
    alone = run(record(encoded(photograph()), "a"))
    together = [record(encoded(photograph(w, 400)), "a") for w in (500, 640)] + [record(encoded(photograph()), "a")]
    Image(ImageParameters())(together)
    for name in Image.writes:
        assert together[2].encode(name) == alone.encode(name)


@pytest.mark.parametrize(
    ("size", "reason"),
    [((1, 1), "1 pixels, fewer than min_side = 256"), ((1, 5000), "min_side"), ((300, 1500), "max_aspect = 4")],
)
def test_filters_by_size_and_aspect(size: tuple[int, int], reason: str) -> None:
    rejection = run(record(encoded(photograph(*size), "PNG"))).rejection
    assert rejection is not None
    assert reason in rejection.reason
    assert rejection.kind == "filtered"


def test_filters_can_be_opened() -> None:
    assert run(record(encoded(photograph(1, 5000), "PNG")), min_side=1, max_aspect=5000, size=64)["jpg"].shape == (
        64,
        64,
        3,
    )


def test_a_megabyte_of_caption_is_left_out_and_never_cut() -> None:
    long = "word " * 200_000
    alone = run(record(encoded(photograph()), long)).rejection
    assert alone is not None
    assert alone.kind == "filtered"
    assert "1000000 characters" in alone.reason
    beside = run(record(encoded(photograph()), long, "short"))
    assert beside["txt"] == "short"
    assert beside["json"]["captions"] == ["short"]


def test_captions_may_be_missing_unless_asked_for() -> None:
    assert run(record(encoded(photograph())))["txt"] == ""
    wanted = run(record(encoded(photograph())), min_caption=3).rejection
    short = run(record(encoded(photograph()), "ab"), min_caption=3).rejection
    assert wanted is not None
    assert "no caption" in wanted.reason
    assert short is not None
    assert "the first has 2 characters" in short.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not an image", "no readable JPEG"),
        (encoded(photograph())[:5000], "damaged or cut JPEG"),
        (encoded(np.full((300, 300), np.nan, np.float32), "TIFF"), "not finite"),
    ],
)
def test_bad_bytes_fail_with_a_reason_and_spare_the_others(data: bytes, reason: str) -> None:
    bad, good = record(data), record(encoded(photograph()))
    Image(ImageParameters())([bad, good])
    assert bad.rejection is not None
    assert reason in bad.rejection.reason
    assert bad.rejection.kind == "failed"
    assert good.rejection is None


def test_the_split_is_stable_and_about_as_large_as_asked() -> None:
    keys = [f"{n:016x}" for n in range(20_000)]
    held_out = {key for key in keys if split_of(key, 0.02) == "validation"}
    assert 300 < len(held_out) < 500
    assert held_out < {key for key in keys if split_of(key, 0.05) == "validation"}
    assert split_of("0000000000000000", 0.02) == "train"
    assert sorted(held_out)[:2] == ["0000000000000016", "0000000000000072"]
