from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from sluice.preprocess.record import Array
from sluice.preprocess.silence import kept_segments, labels_present, silence, silent_mask

KEYS = [hashlib.sha256(str(i).encode()).hexdigest()[:16] for i in range(8000)]
LABELS = [0, 3, 7, 9]


def test_the_law_of_the_number_kept() -> None:
    sizes = Counter(len(kept_segments(LABELS, 0, 0, key)) for key in KEYS)
    expected = {1: 0.3, 2: 0.3, 3: 0.3, 4: 0.1}
    assert chisquare([sizes[k] for k in expected], [p * len(KEYS) for p in expected.values()]).pvalue > 0.01


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_subset_of_a_size_is_equally_likely(size: int) -> None:
    subsets = Counter(kept for key in KEYS if len(kept := kept_segments(LABELS, 1, 0, key)) == size)
    assert len(subsets) == {1: 4, 2: 6, 3: 4}[size]
    assert chisquare(list(subsets.values())).pvalue > 0.01


def test_the_probability_of_keeping_all_is_a_parameter() -> None:
    assert all(len(kept_segments(LABELS, 0, 0, key, keep_all=0)) < 4 for key in KEYS[:500])
    assert all(len(kept_segments(LABELS, 0, 0, key, keep_all=1)) == 4 for key in KEYS[:500])


def test_a_draw_belongs_to_seed_epoch_and_key() -> None:
    many = range(64)
    draw = kept_segments(many, 0, 0, "a")
    assert draw == kept_segments(many, 0, 0, "a") == kept_segments(list(many)[::-1], 0, 0, "a")
    assert (
        len({draw, kept_segments(many, 1, 0, "a"), kept_segments(many, 0, 1, "a"), kept_segments(many, 0, 0, "b")}) == 4
    )


def test_the_draw_is_the_same_on_every_machine() -> None:
    draws = [sorted(kept_segments(range(6), 7, epoch, "0123456789abcdef")) for epoch in range(4)]
    assert draws == [[1, 2, 3, 4], [0, 1], [5], [0, 2, 4, 5]]


def test_epochs_are_independent() -> None:
    first = [0 in kept_segments(LABELS, 0, 0, key) for key in KEYS]
    second = [0 in kept_segments(LABELS, 0, 1, key) for key in KEYS]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_a_single_label_is_kept_and_none_is_an_error() -> None:
    assert kept_segments([5], 0, 0, "a", keep_all=0) == {5}
    with pytest.raises(ValueError, match="no segments to keep"):
        kept_segments([], 0, 0, "a")


def test_labels_of_a_map_include_the_uncovered_rest() -> None:
    assert labels_present(np.array([[0, 65535], [7, 7]], np.uint16)) == [0, 7, 65535]
    assert labels_present(np.array([[2, 1]], np.uint16)) == [1, 2]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_control_stays_inside_and_is_silent_outside(dtype: type, channels: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    segments = random.integers(0, 9, (40, 50)).astype(np.uint16)
    control: Array = random.integers(1, 200, (40, 50, *channels)).astype(dtype)
    before = control.copy()
    kept = kept_segments(labels_present(segments), 0, 0, "a", keep_all=0)
    quiet = silence(control, segments, kept, silent_value=2)
    inside = np.isin(segments, list(kept))
    assert (quiet.dtype, quiet.shape) == (control.dtype, control.shape)
    np.testing.assert_array_equal(quiet[inside], control[inside])
    assert (quiet[~inside] == 2).all()
    assert (silent_mask(segments, kept) == ~inside).all()
    np.testing.assert_array_equal(control, before)


def test_keeping_all_changes_nothing_and_keeping_none_silences_all() -> None:
    segments = np.array([[0, 1], [2, 65535]], np.uint16)
    control = np.array([[9, 8], [7, 6]], np.uint8)
    np.testing.assert_array_equal(silence(control, segments, labels_present(segments)), control)
    assert not silence(control, segments, []).any()


def test_another_size_is_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match="control is 4 x 3 pixels and its segments are 5 x 3"):
        silence(np.zeros((3, 4), np.uint8), np.zeros((3, 5), np.uint16), [0])
