"""Pictures of every format and mode are decoded to their pixels, by their headers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from sluice.preprocess.perception.decode import Header, decode, read_header
from tests.preprocess.perception.made_pictures import RAMP, RGB, decoded, encoded


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


def test_headers_compare_by_value() -> None:
    assert read_header(encoded(RGB, "PNG")) == Header("PNG", "RGB", (64, 48))


def test_pillows_own_limits_are_left_as_they_were() -> None:
    before = Image.MAX_IMAGE_PIXELS
    decoded(encoded(RGB, "PNG"))
    assert before == Image.MAX_IMAGE_PIXELS
