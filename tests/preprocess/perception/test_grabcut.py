import numpy as np
import pytest

from sluice.preprocess.perception.grabcut import grabcut_mask
from sluice.preprocess.record import Array


def _scene(height: int = 120, width: int = 160) -> tuple[Array, Array, Array]:
    """A red disc on noisy green: image, 16-bit segments (the disc in two parts, the ground in two), the truth."""
    y, x = np.mgrid[:height, :width]
    disc = (x - 80) ** 2 + (y - 60) ** 2 < 30**2
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    image = np.where(disc[..., None], [190, 60, 50], [70, 130, 70]) + noise
    segments = np.where(disc, 3 + (x > 80), 1 + (y > 60)).astype(np.uint16)
    return np.clip(image, 0, 255).astype(np.uint8), segments, disc


def test_the_object_on_a_plain_ground() -> None:
    image, segments, disc = _scene()
    mask = grabcut_mask(image, segments)
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) != disc).mean() < 0.02


def test_ground_enclosed_by_segments_is_told_by_its_colour() -> None:
    """A segment in the middle with the border's colour begins as background: the disc alone is the object."""
    image, segments, disc = _scene()
    segments[20:28, 20:120] = 9
    assert ((grabcut_mask(image, segments) > 0) != disc).mean() < 0.02


def test_the_same_bytes_whatever_random_numbers_were_drawn_before() -> None:
    import cv2

    image, segments, _ = _scene()
    first = grabcut_mask(image, segments)
    cv2.setRNGSeed(77)
    cv2.randu(np.zeros(100, np.uint8), 0, 255)
    np.testing.assert_array_equal(first, grabcut_mask(image, segments))


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (700, 64)])
def test_any_size_and_one_flat_segment(size: tuple[int, int]) -> None:
    mask = grabcut_mask(np.full((*size, 3), 127, np.uint8), np.zeros(size, np.uint16))
    assert mask.shape == size
    assert mask.dtype == np.uint8


def test_every_pixel_its_own_segment() -> None:
    image, _, _ = _scene(24, 32)
    segments = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    assert grabcut_mask(image, segments).shape == (24, 32)
