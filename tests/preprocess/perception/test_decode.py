from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from sluice.preprocess.perception.decode import DecodeError, Header, decode, read_header
from sluice.preprocess.record import Array

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
RGB = np.dstack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 90)])


def encoded(array: Array | Image.Image, format: str, **options: Any) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def decoded(data: bytes) -> Array:
    return decode(data, read_header(data))


def bomb(width: int, height: int) -> bytes:
    """A white PNG of one bit a pixel, compressed a thousand times."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeeze = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "options", "error"),
    [
        ("JPEG", {"quality": 95}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("GIF", {}, 40),
    ],
)
def test_every_format_gives_its_pixels(format: str, options: dict[str, Any], error: int) -> None:
    data = encoded(RGB, format, **options)
    header = read_header(data)
    pixels = decode(data, header)
    assert (header.format, header.size) == (format, (64, 48))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (48, 64, 3))
    assert np.abs(pixels.astype(int) - RGB).max() <= error


def test_greys_of_any_depth_are_scaled_to_eight_bits() -> None:
    greys = {
        "8": encoded(RAMP, "PNG"),
        "JPEG": encoded(RAMP, "JPEG", quality=100),
        "16": encoded(RAMP.astype(np.uint16) * 257, "PNG"),
        "16 TIFF": encoded(RAMP.astype(np.uint16) * 257, "TIFF"),
        "32, 0 to 65535": encoded(RAMP.astype(np.int32) * 257, "TIFF"),
        "32, 0 to 255": encoded(RAMP.astype(np.int32), "TIFF"),
        "float, 0 to 1": encoded((RAMP / 255).astype(np.float32), "TIFF"),
        "float, 0 to 255": encoded(RAMP.astype(np.float32), "TIFF"),
    }
    for name, data in greys.items():
        assert np.abs(decoded(data).astype(int) - RAMP[..., None]).max() <= 1, name


def test_dark_16_bit_pictures_stay_dark() -> None:
    assert decoded(encoded(np.full((4, 4), 200, np.uint16), "PNG")).max() == 1


def test_cmyk_as_pillow_converts_it() -> None:
    cmyk = Image.fromarray(RGB).convert("CMYK")
    assert np.abs(decoded(encoded(cmyk, "JPEG", quality=95)).astype(int) - RGB).max() <= 12


def test_alpha_is_composited_over_white() -> None:
    for image in (np.dstack([RGB, RAMP]), np.dstack([RAMP, RAMP])):
        colour = image[..., :-1].astype(float)
        expected = colour * (RAMP[..., None] / 255) + (255 - RAMP[..., None])
        mode = "RGBA" if image.shape[2] == 4 else "LA"
        found = decoded(encoded(Image.fromarray(image, mode), "PNG"))
        assert np.abs(found - expected).max() <= 1.01
    palette = Image.fromarray(RGB).quantize(8)
    index = palette.getpixel((0, 0))
    assert decoded(encoded(palette, "PNG", transparency=index))[0, 0].tolist() == [255, 255, 255]


def test_two_colours_and_palettes() -> None:
    lines = np.zeros((8, 8), bool)
    lines[:, ::2] = True
    assert (decoded(encoded(lines, "PNG")) == lines[..., None] * 255).all()
    palette = Image.fromarray(RGB).quantize(16)
    assert (decoded(encoded(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_reported_and_the_pixels_stay_as_stored(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(RGB, format, exif=exif)
    assert read_header(data).orientation == 6
    assert decoded(data).shape == (48, 64, 3)


def test_a_turned_tiff_is_upright_already() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    header = read_header(data := encoded(RGB, "TIFF", exif=exif))
    assert (header.orientation, header.size) == (1, (48, 64))
    assert decode(data, header).shape == (64, 48, 3)


def test_damaged_exif_turns_nothing() -> None:
    assert read_header(encoded(RGB, "JPEG", exif=b"Exif\0\0II*\0rubbish")).orientation == 1
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read_header(encoded(RGB, "JPEG", exif=exif)).orientation == 1


def swapped_profile() -> bytes:
    """sRGB with the names of its red and green primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")
    wide = "sRGB built-in".encode("utf-16-be")
    assert wide in profile
    return profile.replace(wide, "other profile".encode("utf-16-be"))


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_profile_is_applied(format: str) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    green = decoded(encoded(red, format, icc_profile=swapped_profile()))
    assert np.abs(green[8, 8].astype(int) - (0, 255, 0)).max() <= 3


def test_an_srgb_profile_and_a_broken_one_change_nothing() -> None:
    plain = decoded(encoded(RGB, "JPEG"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"rubbish" * 100):
        assert (decoded(encoded(RGB, "JPEG", icc_profile=profile)) == plain).all()


@pytest.mark.parametrize(
    ("at_least", "size"), [((500, 375), (500, 375)), ((501, 375), (1000, 750)), ((50, 40), (125, 94))]
)
def test_large_jpegs_are_decoded_by_powers_of_two_and_never_too_small(
    at_least: tuple[int, int], size: tuple[int, int]
) -> None:
    large = Image.fromarray(RGB).resize((1000, 750), Image.Resampling.BICUBIC)
    data = encoded(large, "JPEG", quality=95)
    pixels = decode(data, read_header(data), at_least)
    assert (pixels.shape[1], pixels.shape[0]) == size
    assert np.abs(pixels.astype(int) - np.asarray(large.resize(size, Image.Resampling.BOX))).mean() < 2


def test_harmless_rubbish_after_a_jpeg_is_forgiven() -> None:
    data = encoded(RGB, "JPEG")
    assert (decoded(data + b"rubbish") == decoded(data)).all()


def test_the_first_picture_of_a_phones_two_is_the_photograph() -> None:
    data = encoded(RGB, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    assert read_header(data).format == "JPEG"
    assert np.abs(decoded(data).astype(int) - RGB).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_animations_are_refused(format: str) -> None:
    with pytest.raises(DecodeError, match="animated"):
        read_header(encoded(RGB, format, save_all=True, append_images=[Image.fromarray(255 - RGB)]))


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 9_000)])
def test_a_bomb_is_refused_before_it_goes_off(size: tuple[int, int]) -> None:
    data = bomb(*size)
    start = time.perf_counter()
    with pytest.raises(DecodeError, match="pixels"):
        read_header(data)
    assert time.perf_counter() - start < 1


def tiled_tiff(side: int, tile: int) -> bytes:
    """A black TIFF of `side` pixels whose one tile has `tile` pixels a side, compressed a thousand times."""
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(bytes(tile)) for _ in range(tile)) + squeeze.flush()
    size, eight_bits, deflate = {256: side, 257: side}, {258: 8}, {259: 8}
    tags = size | eight_bits | deflate | {262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: len(pixels)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + table + bytes(4)


PEAK = """
import resource, sys
from pathlib import Path
from sluice.preprocess.perception import decode as perception
from sluice.preprocess.perception.decode import DecodeError, decode, read_header
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
data, before = Path(sys.argv[1]).read_bytes(), peak()
try:
    decode(data, read_header(data))
except DecodeError as error:
    print(error)
print(peak() - before)
"""


def in_a_process(script: str, file: Path) -> list[str]:
    """What it says; in this one the memory that is free depends on the tests before."""
    asked = [sys.executable, "-c", script, str(file)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_tile_larger_than_its_picture_takes_no_more_memory_than_the_picture_may(tmp_path: Path) -> None:
    assert decoded(tiled_tiff(64, 1024)).shape == (64, 64, 3)
    (tmp_path / "bomb").write_bytes(tiled_tiff(64, 16384))
    said, grown = in_a_process(PEAK, tmp_path / "bomb")
    assert said == "decoding 64 x 64 pixels takes more than 135 MB of memory"
    assert float(grown) < 150, "its tile has 256 MB"


OF_A_SIZE = """
import sys
from pathlib import Path
from sluice.preprocess.perception import decode as perception
data = Path(sys.argv[1]).read_bytes()
header = perception.read_header(data)
perception.SPARE_BYTES = 1 << 20
for perception.BYTES_A_PIXEL in (10, 32):
    try:
        print(perception.decode(data, header).shape)
    except perception.DecodeError as error:
        print(error)
"""


def test_a_picture_takes_what_its_size_may(tmp_path: Path) -> None:
    """One with alpha takes 18 bytes a pixel."""
    (tmp_path / "large").write_bytes(encoded(np.zeros((2500, 2500, 4), np.uint8), "PNG"))
    said = in_a_process(OF_A_SIZE, tmp_path / "large")
    assert said == ["decoding 2500 x 2500 pixels takes more than 64 MB of memory", "(2500, 2500, 3)"]


def progressive(repeated: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    data = encoded(RAMP, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * repeated + data[-2:]


def test_a_jpeg_of_scans_without_end_is_refused() -> None:
    assert decoded(progressive(50)).shape == (48, 64, 3)
    with pytest.raises(DecodeError, match="a JPEG of more than 100 scans"):
        read_header(progressive(100))


def test_a_film_after_the_photograph_is_no_scan() -> None:
    data = encoded(RGB, "JPEG")
    assert (decoded(data + b"\xff\xda" * 1000) == decoded(data)).all()
    assert (decoded(encoded(RGB, "JPEG", comment=b"\xff\xda" * 1000)) == decoded(data)).all()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(DecodeError, match="empty"):
        read_header(b"")
    with pytest.raises(DecodeError, match=r"no readable JPEG, PNG.*<html>"):
        read_header(b"<html>not found</html>")
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    for other in (svg, b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF-3.0\n", encoded(RGB, "PPM"), encoded(RGB, "ICO")):
        with pytest.raises(DecodeError, match="no readable"):
            read_header(other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1000.0])
def test_values_that_no_picture_has_are_refused(value: float) -> None:
    picture = RAMP.astype(np.float32)
    picture[3, 3] = value
    with pytest.raises(DecodeError, match=r"finite|was expected"):
        decoded(encoded(picture, "TIFF"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_cut_files_are_refused(format: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, format)
    with pytest.raises(DecodeError):
        decoded(data[: int(kept * len(data))])


def test_headers_compare_by_value() -> None:
    assert read_header(encoded(RGB, "PNG")) == Header("PNG", "RGB", (64, 48))


def test_pillows_own_limits_are_left_as_they_were() -> None:
    before = Image.MAX_IMAGE_PIXELS
    decoded(encoded(RGB, "PNG"))
    assert before == Image.MAX_IMAGE_PIXELS
