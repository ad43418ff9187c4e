"""Two small pictures, and files of them in any format."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from sluice.preprocess.perception.decode import decode, read_header
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
