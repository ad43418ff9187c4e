"""Pictures for small data sets in the true layouts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sluice.infra.storage import storage

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


@pytest.fixture
def uploaded(moto_server: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """`uploaded(folder)`: the same files in a bucket, and their `s3://` URI."""
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)

    def upload(folder: Path) -> str:
        uri = f"s3://{moto_server.new_bucket()}/data set"
        for file in folder.rglob("*"):
            if file.is_file():
                storage(uri).write(str(file.relative_to(folder)), file.read_bytes())
        return uri

    return upload
