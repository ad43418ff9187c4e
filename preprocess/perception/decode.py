"""Bytes of an image file to RGB: the header is judged before a pixel is decoded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import simplejpeg

# Imported for their side effect: Pillow registers only some formats by itself.
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

from sluice.infra.memory import at_most
from sluice.preprocess.record import MAX_PIXELS, Array

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
# Of all that we accept, a WebP with alpha takes most, 26 bytes; 8 of them when it is opened.
BYTES_A_PIXEL, BYTES_A_PIXEL_TO_OPEN = 32, 8
SPARE_BYTES = 128 << 20
# A progressive JPEG has ten or so, and each costs as much time as the whole picture.
MAX_SCANS = 100
_ORIENTATION = 0x0112
_SIXTEEN_BIT = 65535
OUT_OF_MEMORY = "decoder error -9"  # so Pillow says what libtiff was refused
_START, _SCAN, _END = b"\xd8", b"\xda", b"\xd9"
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)


class DecodeError(ValueError):
    """The bytes are not an image that we accept; says why."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself: format, Pillow's mode, (width, height) as stored, EXIF orientation, ICC profile."""

    format: str
    mode: str
    size: tuple[int, int]
    orientation: int = 1
    profile: bytes | None = field(default=None, repr=False)


def read_header(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of an image file, no pixel decoded.

    Raises DecodeError for empty bytes, a format that is not in `FORMATS`, an animation, more than `max_pixels` pixels
    (Pillow refuses more than 179 million whatever is asked for) or more than `MAX_SCANS` scans of a JPEG.
    """
    if not data:
        raise DecodeError("the file is empty")
    with _room(max_pixels * BYTES_A_PIXEL_TO_OPEN, data, f"opening at most {max_pixels} pixels"):
        image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise DecodeError(f"{width} x {height} pixels are more than max_pixels = {max_pixels}")
    # An MPO is a JPEG followed by a preview or a second view: its first picture is the photograph.
    name = "JPEG" if image.format == "MPO" else str(image.format)
    if name == "JPEG" and _has_too_many_scans(data):
        raise DecodeError(f"a JPEG of more than {MAX_SCANS} scans")
    with _explaining("the header is damaged"):
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise DecodeError(f"animated, or of several pages: a {name} of more than one frame")
    orientation = 1 if name == "TIFF" else _orientation(image)  # Pillow turns TIFFs upright itself
    return Header(name, image.mode, (width, height), orientation, image.info.get("icc_profile"))


def decode(data: bytes, header: Header, at_least: tuple[int, int] | None = None) -> Array:
    """RGB uint8 `(height, width, 3)` in sRGB, in the stored orientation.

    A JPEG comes back at half, a quarter or an eighth of its size where that still is `at_least` (width, height). Alpha
    is composited over white, 16 bits are scaled to 8, an ICC profile is applied (a broken one ignored). Raises
    DecodeError for a file that is cut or damaged, that takes more memory than its size in the header can, and
    for values that no picture has (NaN, beyond 0 to 255).
    """
    with bounded(header, data):
        return _decode(data, header, at_least)


@contextmanager
def bounded(header: Header, data: bytes) -> Iterator[None]:
    """No more memory than a picture of this size can take: a TIFF's tile may be larger than its picture by far.

    Raises DecodeError for more.
    """
    width, height = header.size
    with _room(width * height * BYTES_A_PIXEL, data, f"decoding {width} x {height} pixels"):
        yield


def _decode(data: bytes, header: Header, at_least: tuple[int, int] | None) -> Array:
    if header.format == "JPEG" and header.mode == "RGB":
        pixels = _decode_jpeg(data, header.size, at_least)
        if pixels is not None:
            return _to_srgb(Image.fromarray(pixels), header.profile) if header.profile else pixels
    image = _open(data)
    with _explaining(f"a damaged or cut {header.format}"):
        image.load()
        return _to_srgb(_eight_bit(image), header.profile)


def _open(data: bytes) -> ImageFile.ImageFile:
    with warnings.catch_warnings(), _explaining("the header is damaged"):
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise DecodeError(f"no readable {', '.join(FORMATS)}: the file starts with {data[:8]!r}") from error
        except Image.DecompressionBombError as error:
            raise DecodeError(f"too many pixels: {error}") from error


@contextmanager
def _explaining(what: str) -> Iterator[None]:
    """Pillow raises whatever the damage makes it trip over."""
    try:
        yield
    except (DecodeError, MemoryError):
        raise
    except Exception as error:
        if OUT_OF_MEMORY in str(error):
            raise MemoryError from error
        raise DecodeError(f"{what}: {error}") from error


@contextmanager
def _room(size: int, data: bytes, what: str) -> Iterator[None]:
    room = size + len(data) + SPARE_BYTES
    try:
        with at_most(room):
            yield
    except MemoryError as error:
        raise DecodeError(f"{what} takes more than {room / 1e6:.0f} MB of memory") from error


def _has_too_many_scans(data: bytes) -> bool:
    """By the markers up to the end of the picture: a phone's film may follow, whose bytes look like anything."""
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return False
    scans = at = 0
    while scans <= MAX_SCANS and (found := _MARKER.search(data, at)) and found[1] != _END:
        scans += found[1] == _SCAN
        at = found.end() + (int.from_bytes(data[found.end() : found.end() + 2], "big") if found[1] != _START else 0)
    return scans > MAX_SCANS


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _decode_jpeg(data: bytes, size: tuple[int, int], at_least: tuple[int, int] | None) -> Array | None:
    """The pixels, scaled by a power of two where allowed; None leaves it to Pillow, which forgives more."""
    smallest = (0, 0)
    for divisor in (2, 4, 8):
        scaled = (-(-size[0] // divisor), -(-size[1] // divisor))
        if at_least and scaled[0] >= at_least[0] and scaled[1] >= at_least[1]:
            smallest = scaled
    try:
        pixels: Array = simplejpeg.decode_jpeg(data, colorspace="RGB", min_width=smallest[0], min_height=smallest[1])
    except ValueError:
        return None
    return pixels


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image with eight bits a channel, without alpha, grey, RGB or CMYK."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_scale_to_bytes(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _scale_to_bytes(values: Array) -> Array:
    """16-bit, 32-bit and float greys to uint8: by 65535, by 255, or by 1, whichever range holds them."""
    if not np.isfinite(values).all():
        raise DecodeError("holds values that are not finite (NaN or infinite)")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        full = 1.0 if high <= 1 else 255.0
    else:
        full = 255.0 if values.dtype.itemsize > 2 and high <= 255 else float(_SIXTEEN_BIT)
    if low < 0 or high > full:
        raise DecodeError(f"holds values from {low:g} to {high:g}, where 0 to {full:g} was expected")
    scaled: Array = np.rint(values.astype(np.float64) * (255.0 / full)).astype(np.uint8)
    return scaled


def _to_srgb(image: Image.Image, profile: bytes | None) -> Array:
    transform = _transform(profile, image.mode) if profile else None
    if transform is not None:
        image = transform.apply(image)
    return np.asarray(image.convert("RGB"))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Any:
    """From this profile to sRGB; None where it is sRGB already, damaged, or not one for this mode."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).strip().startswith("sRGB"):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
