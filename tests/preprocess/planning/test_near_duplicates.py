from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.planning.near_duplicates import near_duplicates, perceptual_hash


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)


def encoded(image: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def distance(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def test_the_same_picture_recompressed_and_resized_hashes_nearly_the_same() -> None:
    image = picture(1)
    first = perceptual_hash(encoded(image))
    assert distance(first, perceptual_hash(encoded(image, 40))) <= 4
    assert distance(first, perceptual_hash(encoded(cv2.resize(image, (80, 60))))) <= 4


def test_other_pictures_are_far() -> None:
    hashes = [perceptual_hash(encoded(picture(seed))) for seed in range(20)]
    assert min(distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 8


def test_what_does_not_decode_has_no_hash() -> None:
    assert perceptual_hash(b"not a picture") == ""


def test_every_pair_within_the_bits_is_found() -> None:
    rng = np.random.default_rng(0)
    values = [int(v) for v in rng.integers(0, 2**62, 200)]
    close = [v ^ (1 << int(a)) ^ (1 << int(b)) for v, (a, b) in zip(values, rng.integers(0, 64, (200, 2)), strict=True)]
    looks = [(f"a{i:03}", f"{v:016x}") for i, v in enumerate(values)]
    looks += [(f"b{i:03}", f"{v:016x}") for i, v in enumerate(close)]
    assert near_duplicates(looks, 2) == {f"b{i:03}": f"a{i:03}" for i in range(200)}
    assert near_duplicates(looks[:200], 2) == {}
