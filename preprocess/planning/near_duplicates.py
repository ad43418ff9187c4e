"""Near-duplicates by perceptual hash: pictures that look the same though their bytes differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import cv2
import numpy as np

HASH_BITS = 64


def perceptual_hash(data: bytes) -> str:
    """64 bits (16 hex digits): which of the 8 x 8 lowest frequencies of the 32 x 32 grey image exceed their median.

    An empty string where the bytes do not decode: the image stage says why.
    """
    from sluice.preprocess.perception.decode import DecodeError, decode, read_header

    try:
        image = decode(data, read_header(data), at_least=(32, 32))
    except DecodeError:
        return ""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def _bands(value: int, count: int) -> list[tuple[int, int]]:
    width = HASH_BITS // count
    return [(i, (value >> (i * width)) & ((1 << width) - 1)) for i in range(count)]


def near_duplicates(looks: Iterable[tuple[str, str]], bits: int) -> dict[str, str]:
    """For (uri, hash) in order: uri -> the earlier uri that differs in at most `bits` bits.

    Two hashes within `bits` agree in one of `bits + 1` bands, so only those that share a band are compared.
    """
    bands: dict[tuple[int, int], list[tuple[str, int]]] = defaultdict(list)
    same: dict[str, str] = {}
    for uri, look in looks:
        if not look:
            continue
        value = int(look, 16)
        marks = _bands(value, bits + 1)
        close = (other for mark in marks for other, v in bands[mark] if (v ^ value).bit_count() <= bits)
        first = next(close, None)
        if first is not None:
            same[uri] = first
            continue
        for mark in marks:
            bands[mark].append((uri, value))
    return same
