"""A control made silent outside random segments: MIControlNet's rebalanced data (Sec. 4.1).

The target image stays whole, so the pixels under a silent control still carry texture, and the network learns that no
signal means no impact. Training draws the segments afresh every epoch; the page shows the same draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sluice.preprocess.record import Array

WORD = 2**64


def labels_present(segments: Array) -> list[int]:
    """The labels in a map of segments, ascending; 0, the uncovered rest, is a segment like the others."""
    return [int(label) for label in np.flatnonzero(np.bincount(segments.ravel()))]


def kept_segments(labels: Collection[int], seed: int, epoch: int, key: str, keep_all: float = 0.1) -> frozenset[int]:
    """The labels whose control is kept for the record `key` in this epoch, the same on every machine.

    With probability `keep_all` all of them; else k of the K labels, k uniform in 1 .. K-1 and every subset of that size
    equally likely. A single label is always kept. Raises ValueError where there is no label.
    """
    if not labels:
        raise ValueError(f"record {key} has no segments to keep; its segments.png is empty")
    present = np.unique(np.fromiter(labels, np.int64))
    words = random_words(2 + len(present), seed, epoch, key)
    if len(present) == 1 or int(words[0]) < keep_all * WORD:
        return frozenset(present.tolist())
    count = 1 + int(words[1]) * (len(present) - 1) // WORD
    shuffled = present[np.argsort(words[2:], kind="stable")]
    return frozenset(shuffled[:count].tolist())


def silence(control: Array, segments: Array, kept: Collection[int], silent_value: int = 0) -> Array:
    """The control inside the kept segments, `silent_value` elsewhere; shape and type are the control's.

    `control` is `(height, width)` or `(height, width, channels)`, `segments` `(height, width)` of unsigned integers.
    For a control without an empty value, such as depth, give the network `silent_mask` beside it.
    """
    if control.shape[:2] != segments.shape:
        raise ValueError(
            f"the control is {control.shape[1]} x {control.shape[0]} pixels and its segments are {segments.shape[1]} x "
            f"{segments.shape[0]}; both must come from the same record, at the same size"
        )
    silent = silent_mask(segments, kept)
    return np.where(silent[..., None] if control.ndim == 3 else silent, control.dtype.type(silent_value), control)


def silent_mask(segments: Array, kept: Collection[int]) -> NDArray[np.bool_]:
    """True where the control is silent, bool `(height, width)`."""
    silent = np.ones(max(int(segments.max(initial=0)), max(kept, default=0)) + 1, bool)
    silent[list(kept)] = False
    return silent[segments]


def random_words(count: int, seed: int, epoch: int, key: str) -> NDArray[np.uint64]:
    """`count` uniform 64-bit words that belong to (seed, epoch, key).

    Raw words of a counter-based generator: their stream is numpy's promise, that of `Generator.choice` is not.
    """
    digest = hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
    return np.random.Philox(key=int.from_bytes(digest[:16], "big")).random_raw(count)
