from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sluice.preprocess.record import Array
from sluice.preprocess.sources.colour_maps import labels_from_colours


def drawing() -> tuple[Array, Array]:
    """Four classes and an uncovered corner: labels in the order of the colours' values, and the picture."""
    labels = np.zeros((96, 128), np.uint16)
    labels[:, 40:], labels[30:, 70:], labels[60:, 20:60], labels[80:] = 2, 3, 4, 1
    colours = np.array([[0, 0, 0], [6, 230, 230], [120, 120, 120], [180, 120, 120], [224, 5, 255]], np.uint8)
    return labels, colours[labels]


def test_an_exact_map_gives_its_classes() -> None:
    labels, picture = drawing()
    found = labels_from_colours(picture)
    assert found.dtype == np.uint16
    assert (found == labels).all()


def test_colours_close_to_each_other_stay_apart_in_an_exact_map() -> None:
    picture = np.array([[[255, 82, 0], [255, 71, 0], [255, 82, 1]]], np.uint8)
    assert labels_from_colours(picture).tolist() == [[2, 1, 3]]


def test_a_map_that_went_through_jpeg_gives_the_same_but_for_edges() -> None:
    labels, picture = drawing()
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=85)
    lossy = np.asarray(Image.open(stream))
    assert len(np.unique(lossy.reshape(-1, 3), axis=0)) > 256
    found = labels_from_colours(lossy)
    assert set(np.unique(found)) == {0, 1, 2, 3, 4}
    assert (found == labels).mean() > 0.97


def test_noise_alone_does_not_break() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert labels_from_colours(noise).shape == (64, 64)
