"""The record: what one image becomes, as webdataset fields `<key>.<field>`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Array = NDArray[Any]
JPEG_QUALITY = 95
MAX_PIXELS = 64_000_000
PNG = b"\x89PNG\r\n\x1a\n"


class FieldError(ValueError):
    """A field's bytes or values are not what its name promises."""


@dataclass(frozen=True)
class Field:
    """One field of a record: its name, how it is stored and what a reader may rely on.

    `shape` is "image" (height, width[, channels], the size of `jpg`), "vector" (any shape, of so many `axes`) or "none"
    (not an array); an empty `dtype`, `channels` 0 and `axes` 0 promise nothing.
    """

    name: str
    dtype: str
    channels: int
    shape: Literal["image", "vector", "none"]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    describes: str
    axes: int = 0


def encode_jpeg(image: Array) -> bytes:
    """RGB uint8 `(height, width, 3)` to JPEG bytes, quality 95, 4:2:0."""
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"
    )
    return encoded


def decode_jpeg(data: bytes) -> Array:
    """JPEG bytes to RGB uint8 `(height, width, 3)`. Raises ValueError."""
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    _refuse_bomb(width, height)
    decoded: Array = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return decoded


def encode_png(image: Array) -> bytes:
    """Grey uint8, grey uint16 or RGB uint8 to PNG bytes."""
    ok, data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not ok:
        raise FieldError(f"OpenCV could not encode a PNG of shape {image.shape} and type {image.dtype}")
    return bytes(data)


def decode_png(data: bytes) -> Array:
    """PNG bytes to uint8 or uint16 `(height, width)`, or RGB uint8 `(height, width, 3)`. Raises FieldError."""
    if not data.startswith(PNG):
        raise FieldError("not a PNG")
    _refuse_bomb(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FieldError("not a readable PNG")
    return np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image


def _refuse_bomb(width: int, height: int) -> None:
    """Shards may come from others: OpenCV would take five gigabytes for a PNG of a hundred kilobytes."""
    if width * height > MAX_PIXELS:
        raise FieldError(f"{width} x {height} pixels are more than the {MAX_PIXELS} that a field may have")


def encode_npy(array: Array) -> bytes:
    """An array to `.npy` bytes."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def decode_npy(data: bytes) -> Array:
    """`.npy` bytes to an array; pickled objects are refused."""
    array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def encode_json(value: Any) -> bytes:
    """A value to JSON with sorted keys, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return data.decode()


def _jpeg(name: str, describes: str) -> Field:
    return Field(name, "uint8", 3, "image", encode_jpeg, decode_jpeg, describes)


def _png(name: str, dtype: str, channels: int, describes: str) -> Field:
    return Field(name, dtype, channels, "image", encode_png, decode_png, describes)


def _npy(name: str, axes: int, describes: str) -> Field:
    return Field(name, "float16", 0, "vector", encode_npy, decode_npy, describes, axes)


def _json(name: str, describes: str) -> Field:
    return Field(name, "object", 0, "none", encode_json, json.loads, describes)


FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        _jpeg("jpg", "the image, RGB"),
        Field("txt", "str", 0, "none", str.encode, _text, "one caption, empty where there is none"),
        _json("json", "origin, original SHA-256 and size, crop, all captions, split"),
        _png("segments.png", "uint16", 1, "segment labels; 0 is the uncovered rest"),
        _json("safety.json", "how unsafe the picture was judged, 0 to 1, and by which model"),
        _png("canny.png", "uint8", 1, "Canny edges, 0 or 255"),
        _png("hed.png", "uint8", 1, "soft edges, 0 to 255"),
        _png("depth.png", "uint16", 1, "inverse depth, min-max per image, near is large"),
        _png("pose.png", "uint8", 3, "the skeletons drawn"),
        _json("pose.json", "people: 18 COCO points each, in pixels"),
        _png("parts.png", "uint8", 3, "semantic classes, a colour each, none of them black"),
        _png("mask.png", "uint8", 1, "the salient object, 0 or 255"),
        _jpeg("bg.jpg", "the background, the object inpainted"),
        _png("fg_depth.png", "uint16", 1, "inverse depth of the foreground"),
        _png("bg_depth.png", "uint16", 1, "inverse depth of the background"),
        _png("fg_canny.png", "uint8", 1, "Canny edges of the foreground"),
        _png("bg_canny.png", "uint8", 1, "Canny edges of the background"),
        _npy("clip.npy", 1, "CLIP embedding of the image"),
        _npy("bg_clip.npy", 1, "CLIP embedding of the background"),
        _npy("latent.npy", 4, "the VAE's mean and deviation, (2, channels, height, width)"),
        _npy("text.npy", 2, "the text encoder's output, (tokens, width)"),
    )
}


BY_SUFFIX: dict[str, Callable[[str], Field]] = {
    "jpg": lambda name: _jpeg(name, "an image"),
    "png": lambda name: _png(name, "", 0, "an image"),
    "npy": lambda name: Field(name, "", 0, "vector", encode_npy, decode_npy, "an array"),
    "json": lambda name: _json(name, "a JSON value"),
    "txt": lambda name: Field(name, "str", 0, "none", str.encode, _text, "a text"),
}


def field_named(name: str) -> Field:
    """One of ours, or any other by its suffix (jpg, png, npy, json, txt). Raises FieldError for another suffix."""
    if name in FIELDS:
        return FIELDS[name]
    suffix = name.rpartition(".")[2]
    if suffix not in BY_SUFFIX:
        raise FieldError(f"the field '{name}' has no known suffix; it must end in {', '.join(BY_SUFFIX)}")
    return BY_SUFFIX[suffix](name)


@dataclass
class Rejection:
    """Why a record leaves the data set at a stage: a failure, or a filter's word."""

    reason: str
    kind: Literal["failed", "filtered"] = "failed"


@dataclass
class Record:
    """A key and its fields; encoded bytes come from shards, values from stages, each made from the other on demand.

    Fields whose names start with `raw` come from the source as bytes and are never stored: `raw` is the original file,
    `raw.json` its captions, origin and SHA-256, other `raw.<name>` are companions such as a pixel map.
    """

    key: str
    encoded: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    rejection: Rejection | None = None

    def __getitem__(self, name: str) -> Any:
        """The decoded value of a field. Arrays are shared between readers: do not write into them."""
        if name not in self.values:
            if name not in self.encoded:
                raise FieldError(f"record {self.key} has no field '{name}'; it has {', '.join(sorted(self.encoded))}")
            data = self.encoded[name]
            self.values[name] = data if name.startswith("raw") else field_named(name).decode(data)
        return self.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.encoded.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self.values or name in self.encoded

    def encode(self, name: str) -> bytes:
        """The bytes of a field, as they go into a shard."""
        if name not in self.encoded:
            self.encoded[name] = field_named(name).encode(self.values[name])
        return self.encoded[name]

    def reject(self, reason: str, kind: Literal["failed", "filtered"] = "failed") -> None:
        """Take the record out of the data set; `filtered` does not count towards `max_failures`."""
        self.rejection = Rejection(reason, kind)


def check_field(name: str, data: bytes, size: tuple[int, int] | None = None) -> str | None:
    """What is wrong with a field's bytes, or None; `size` is (height, width) of the record's image."""
    try:
        value = field_named(name).decode(data)
    except Exception as error:  # decoders raise whatever the damage makes them trip over
        return f"{name}: does not decode ({error})"
    return check_value(field_named(name), value, size)


def check_value(spec: Field, value: Any, size: tuple[int, int] | None) -> str | None:
    """What is wrong with a decoded value, or None."""
    if spec.shape == "none":
        return None
    if spec.dtype and value.dtype != spec.dtype:
        return f"{spec.name}: expected {spec.dtype}, found {value.dtype}"
    if spec.shape == "image":
        channels = 1 if value.ndim == 2 else value.shape[2]
        if spec.channels and channels != spec.channels:
            return f"{spec.name}: expected {spec.channels} channel(s), found {channels}"
        if size is not None and value.shape[:2] != size:
            return (
                f"{spec.name}: expected height x width {size[0]} x {size[1]}, found {value.shape[0]} x {value.shape[1]}"
            )
    elif not np.isfinite(value).all():
        return f"{spec.name}: holds values that are not finite"
    return None
