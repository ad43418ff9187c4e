from __future__ import annotations

import numpy as np

from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.record import Array


def test_batches_are_full_of_one_shape_and_results_keep_their_order() -> None:
    seen: list[tuple[tuple[int, ...], list[int]]] = []

    def sums(batch: Array, members: list[int]) -> Array:
        seen.append((batch.shape, members))
        assert not batch[len(members) :].any()
        total: Array = batch.reshape(len(batch), -1).sum(axis=1)
        return total

    arrays = [np.full(shape, i + 1) for i, shape in enumerate([(2, 2), (3, 1), (2, 2), (2, 2), (3, 1)])]
    assert in_batches(arrays, 2, sums) == [4, 6, 12, 16, 15]
    assert seen == [((2, 2, 2), [0, 2]), ((2, 2, 2), [3]), ((2, 3, 1), [1, 4])]


def test_nothing_in_nothing_out() -> None:
    assert in_batches([], 4, lambda batch, _: batch) == []
