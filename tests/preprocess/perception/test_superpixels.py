import numpy as np
from skimage import data
from skimage.measure import label

from sluice.preprocess.perception.superpixels import merge_by_colour, superpixels


def test_flat_colours_are_found() -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, :50], image[:, 50:], image[30:70, 80:110] = (200, 30, 30), (20, 120, 40), (240, 240, 90)
    labels = superpixels(image, segments=3)
    for colour in np.unique(image.reshape(-1, 3), axis=0):
        _, counts = np.unique(labels[(image == colour).all(-1)], return_counts=True)
        assert counts.max() / counts.sum() > 0.9
    assert np.unique(labels).tolist() == [1, 2, 3]


def test_a_photograph_falls_into_few_connected_segments_the_same_every_time() -> None:
    image = data.astronaut()[::2, ::2]
    labels = superpixels(image, segments=20, min_area=60)
    np.testing.assert_array_equal(labels, superpixels(image, segments=20, min_area=60))
    assert labels.dtype == np.uint16
    assert labels.shape == image.shape[:2]
    assert 5 <= labels.max() <= 20
    assert labels.min() == 1
    areas = np.bincount(label(labels, connectivity=1).ravel())
    assert areas[areas > 0].min() >= 60


def test_merging_takes_the_nearest_colours_among_neighbours_only() -> None:
    labels = np.array([[0, 1, 2, 3]])
    colours = np.array([[[0.0], [10.0], [0.5], [11.0]]])
    np.testing.assert_array_equal(merge_by_colour(labels, colours, 3), [[0, 1, 1, 3]])


def test_tiny_and_flat_images() -> None:
    assert superpixels(np.full((3, 5, 3), 77, np.uint8)).shape == (3, 5)
    assert (superpixels(np.full((40, 30, 3), 77, np.uint8), segments=1) == 1).all()
    assert superpixels(np.zeros((1, 1, 3), np.uint8)).tolist() == [[1]]
