"""Batches whose size and shape no neighbour can change: the same image gives the same bytes in any company."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from sluice.preprocess.record import Array


def in_batches(arrays: Sequence[Array], batch_size: int, run: Callable[[Array, list[int]], Array]) -> list[Array]:
    """The results of `run` over `arrays`, in their order.

    `run(batch, members)` gets arrays of equal shape stacked to exactly `batch_size` rows, zeros after the last one,
    and the positions in `arrays` of the real rows; it returns one result a row, of which the padding's are dropped.
    """
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, array in enumerate(arrays):
        by_shape[array.shape].append(position)
    results: dict[int, Array] = {}
    for shape, positions in by_shape.items():
        for start in range(0, len(positions), batch_size):
            members = positions[start : start + batch_size]
            batch = np.zeros((batch_size, *shape), arrays[members[0]].dtype)
            batch[: len(members)] = [arrays[position] for position in members]
            results.update(zip(members, run(batch, members), strict=False))
    return [results[position] for position in range(len(arrays))]
