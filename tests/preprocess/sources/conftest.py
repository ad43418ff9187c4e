"""Pictures for small data sets in the true layouts."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Picture = Callable[..., bytes]


@pytest.fixture
def picture() -> Picture:
    """`picture(seed, format="JPEG", size=(32, 24))`: the bytes of an image file, another one for every seed."""

    def make(seed: int, format: str = "JPEG", size: tuple[int, int] = (32, 24)) -> bytes:
        small = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(small).resize(size).save(stream, format)
        return stream.getvalue()

    return make
