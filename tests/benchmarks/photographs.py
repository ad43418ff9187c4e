"""Realistic JPEGs: crops of the photographs that scikit-image and scikit-learn carry, 500 x 375, about 100 kB each."""

from __future__ import annotations

import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from sluice.preprocess.record import Array, encode_jpeg

WIDTH, HEIGHT = 500, 375
GRAIN = 6.0
SOURCES = (
    "skimage/data/astronaut.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/rocket.jpg",
    "skimage/data/retina.jpg",
    "skimage/data/hubble_deep_field.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
)


def photographs(count: int) -> Path:
    """A folder of `count` different photographs, the same on every machine; made once and kept among temporary files.

    Each is a random crop, mirrored or not, its colours shifted a little, with the grain of a small sensor.
    """
    folder = Path(tempfile.gettempdir()) / f"sluice-benchmark-photographs-{count}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as made:
            for seed in range(count):
                (Path(made) / f"{seed:06}.jpg").write_bytes(photograph(seed))
            Path(made).rename(folder)
            Path(made).mkdir()
    return folder


def photograph(seed: int) -> bytes:
    """One JPEG (quality 95, 4:2:0)."""
    random = np.random.default_rng(seed)
    whole = _source(SOURCES[seed % len(SOURCES)])
    height = int(random.integers(min(240, whole.shape[0] * 2 // 3), whole.shape[0] + 1))
    width = min(whole.shape[1], height * WIDTH // HEIGHT)
    y, x = (int(random.integers(0, room + 1)) for room in (whole.shape[0] - height, whole.shape[1] - width))
    crop = cv2.resize(whole[y : y + height, x : x + width], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    mirrored = crop[:, ::-1] if random.integers(2) else crop
    grain = np.roll(_grain(), random.integers(0, (HEIGHT, WIDTH)), axis=(0, 1)) + random.integers(-12, 13, 3)
    return encode_jpeg(np.clip(mirrored + grain, 0, 255).astype(np.uint8))


@cache
def _grain() -> Array:
    return np.random.default_rng(0).normal(0, GRAIN, (HEIGHT, WIDTH, 3)).astype(np.int16)


@cache
def _source(name: str) -> Array:
    package, _, inside = name.partition("/")
    picture = cv2.imread(str(files(package).joinpath(inside)), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise FileNotFoundError(f"{package} carries no {inside} any more")
    return picture
