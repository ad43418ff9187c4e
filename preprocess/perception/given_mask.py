"""A mask that comes with the image, brought to the record's geometry."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sluice.preprocess.perception.decode import FORMATS, DecodeError, bounded, read_header
from sluice.preprocess.perception.geometry import Geometry, apply_to_labels
from sluice.preprocess.record import Array

LOSSY = ("JPEG", "WEBP")


def given_mask(data: bytes, geometry: Geometry) -> Array:
    """An image file whose non-zero pixels are the object, as the record has it: uint8 `(height, width)`, 0 or 255.

    Of a palette the index counts, of colours any channel, alpha never; compression blurs zero, so in a JPEG or WebP the
    object is what reaches 128. Raises DecodeError for a file that is not an image, ValueError for another aspect.
    """
    header = read_header(data)
    try:
        with bounded(header, data):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            values = np.asarray(image)
    except Exception as error:  # Pillow's decoders raise whatever the damage makes them trip over
        raise DecodeError(f"a damaged or cut {header.format}: {error}") from error
    if values.ndim == 3:
        colours = [band != "A" for band in image.getbands()]
        values = values[..., colours].max(axis=2)
    inside = values >= (128 if header.format in LOSSY else 1)
    return apply_to_labels(np.where(inside, np.uint8(255), np.uint8(0)), geometry)
