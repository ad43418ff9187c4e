import numpy as np

from sluice.preprocess.perception.crops import Crop
from sluice.preprocess.perception.label_map import consecutive, label_map, merge_small_regions
from sluice.preprocess.perception.masks import Mask, bounding_box, within
from sluice.preprocess.record import Array


def rectangle(top: int, left: int, bottom: int, right: int, quality: float = 0.9, size: int = 20) -> Mask:
    whole = np.zeros((size, size), bool)
    whole[top:bottom, left:right] = True
    return whole_mask(whole, quality)


def whole_mask(whole: Array, quality: float = 0.9) -> Mask:
    box = bounding_box(whole)
    return Mask(box, within(whole, box), quality, 0.9, (0.0, 0.0), Crop(0, 0, whole.shape[1], whole.shape[0]))


def test_a_part_lies_on_its_whole_whatever_the_order() -> None:
    whole, part = rectangle(0, 0, 20, 15), rectangle(5, 5, 10, 10)
    labels = label_map([part, whole], 20, 20, min_area=1)
    np.testing.assert_array_equal(labels, label_map([whole, part], 20, 20, min_area=1))
    assert labels.dtype == np.uint16
    assert labels[0, 0] == 1
    assert labels[7, 7] == 2
    assert labels[0, 19] == 0
    assert np.count_nonzero(labels == 2) == 25


def test_the_surer_of_two_of_a_size_wins() -> None:
    sure, unsure = rectangle(0, 0, 10, 10, 0.95), rectangle(0, 5, 10, 15, 0.85)
    labels = label_map([sure, unsure], 20, 20, min_area=1)
    assert np.count_nonzero(labels == labels[0, 7]) == 100
    assert labels[0, 7] == labels[0, 0] == 1


def test_small_regions_go_to_their_neighbours() -> None:
    masks = [rectangle(0, 0, 20, 10), rectangle(0, 10, 20, 20), rectangle(3, 3, 5, 5), rectangle(8, 14, 12, 18)]
    labels = label_map(masks, 20, 20, min_area=10)
    assert np.unique(labels).tolist() == [1, 2, 3]
    assert labels[4, 4] == labels[0, 0]
    assert labels[9, 15] == 3


def test_the_rest_keeps_its_place_but_for_seams() -> None:
    masks = [rectangle(0, 0, 20, 8), rectangle(0, 10, 20, 16)]
    assert set(label_map(masks, 20, 20, min_area=1)[:, 8:10].ravel()) == {0}
    closed = label_map(masks, 20, 20, min_area=1, gap=2)
    assert not (closed[:, :16] == 0).any()
    assert (closed[:, 16:] == 0).all()


def test_no_masks_are_all_rest() -> None:
    assert not label_map([], 6, 7, min_area=5, gap=3).any()


def test_where_all_is_small_the_largest_takes_all() -> None:
    labels = np.array([[5, 5, 5], [7, 7, 9]])
    assert (merge_small_regions(labels, 100) == 5).all()


def test_labels_are_counted_by_area_then_place() -> None:
    labels = np.array([[4, 4, 9, 9], [0, 7, 7, 7]])
    np.testing.assert_array_equal(consecutive(labels), [[2, 2, 3, 3], [0, 1, 1, 1]])
