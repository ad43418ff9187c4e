"""Keys as 64-bit integers, so that an index of 10^8 images fits into memory eight bytes an image."""

from __future__ import annotations

import binascii
from collections.abc import Hashable, Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
RANGE_BITS = 3
ROW_BITS = 32


def keys_of(digits: pa.Array) -> Numbers:
    """Keys of 16 hex digits each, none empty, as integers, which sort as their digits do."""
    text = "".join(digits.to_pylist()) if digits.offset else _text(digits)
    return np.frombuffer(binascii.unhexlify(text), ">u8").astype(np.uint64)


def _text(digits: pa.Array) -> str | bytes:
    _, ends, text = digits.buffers()
    return text.slice(0, 16 * len(digits)).to_pybytes() if len(digits) and ends else b""


def hashed(values: Iterable[Hashable]) -> Numbers:
    """Python's hashes, which hold for this process."""
    return np.fromiter(map(hash, values), np.int64).view(np.uint64)


def within(values: Numbers, ordered: Numbers) -> Mask:
    """Which values are among the ordered ones."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    found = np.searchsorted(ordered, values)
    np.minimum(found, len(ordered) - 1, out=found)
    same: Mask = ordered[found] == values
    return same


def recurring(values: Numbers) -> Mask:
    """Which values occur more than once; a range of values after the other, so as not to sort a copy of all of them."""
    found = np.zeros(len(values), bool)
    highest = np.ascontiguousarray(values, "<u8").view(np.uint8)[7::8] >> (8 - RANGE_BITS)
    for i in range(1 << RANGE_BITS):
        own = np.flatnonzero(highest == i)
        found[own[_recurring(values[own])]] = True
    return found


def _recurring(values: Numbers) -> NDArray[np.intp]:
    """The places of the values that occur more than once."""
    order = np.argsort(values)
    ordered = values[order]
    same = ordered[1:] == ordered[:-1]
    return order[np.append(same, False) | np.append(False, same)] if len(values) else order


def place_of(part: int, rows: NDArray[np.intp]) -> Places:
    """Rows of a part of an index, each as one number."""
    return (part << ROW_BITS) | rows.astype(np.int64)


def split_place(places: Places) -> tuple[Places, Places]:
    """The parts and the rows of places."""
    return places >> ROW_BITS, places & ((1 << ROW_BITS) - 1)
