import io

import numpy as np
import pytest
from PIL import Image

from sluice.preprocess.perception.decode import DecodeError
from sluice.preprocess.perception.geometry import Geometry
from sluice.preprocess.perception.given_mask import given_mask

# A 60 x 40 photograph stored lying (EXIF 6), upright 40 x 60, halved, its middle 20 x 20 kept.
TURNED = Geometry(6, (60, 40), (20, 30), (0, 5, 20, 20))
PLAIN = Geometry(1, (60, 40), (60, 40), (0, 0, 60, 40))


def _file(image: Image.Image, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, format)
    return stream.getvalue()


def _labels(value: int = 1) -> np.ndarray:  # type: ignore[type-arg]
    labels = np.zeros((40, 60), np.uint8)
    labels[:10, 20:40] = value
    return labels


def test_non_zero_is_the_object() -> None:
    mask = given_mask(_file(Image.fromarray(_labels())), PLAIN)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, _labels(255))


def test_it_is_turned_resized_and_cropped_like_the_image() -> None:
    """The stored top is the upright right: rows 0 to 9 of 40 become the rightmost quarter."""
    mask = given_mask(_file(Image.fromarray(_labels())), TURNED)
    expected = np.zeros((20, 20), np.uint8)
    expected[5:15, 15:] = 255
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_mode(mode: str) -> None:
    if mode == "P":
        # Index 0 is white here and 1 black: the index counts, not the colour.
        image = Image.fromarray(_labels(), "P")
        image.putpalette([255, 255, 255, 0, 0, 0])
    elif mode == "I;16":
        image = Image.fromarray(_labels().astype(np.uint16) * 300)
    else:
        image = Image.fromarray(_labels(255)).convert(mode)
    np.testing.assert_array_equal(given_mask(_file(image), PLAIN), _labels(255))


def test_ringing_of_a_jpeg_is_not_the_object() -> None:
    noisy = np.clip(_labels(250).astype(int) + np.random.default_rng(0).integers(0, 6, (40, 60)), 0, 255)
    mask = given_mask(_file(Image.fromarray(noisy.astype(np.uint8)), "JPEG"), PLAIN)
    assert (mask != _labels(255)).mean() < 0.01


def test_broken_and_foreign_files_say_so() -> None:
    with pytest.raises(DecodeError, match="damaged or cut PNG"):
        given_mask(_file(Image.fromarray(_labels()))[:-30], PLAIN)
    with pytest.raises(DecodeError):
        given_mask(b"nothing", PLAIN)
    with pytest.raises(ValueError, match="aspects differ"):
        given_mask(_file(Image.fromarray(np.ones((10, 60), np.uint8))), PLAIN)
