"""How the scalars of a version are distributed: small histograms, read from the sidecars of some of its shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sluice.infra.page.blocks import Bin, Block, Cell, Histogram, Histograms, Table, Text
from sluice.infra.page.text import count_text
from sluice.preprocess.record import Array

BINS = 24
FEW_VALUES = 8
IDENTITIES = {"key", "uri", "caption"}
TITLES = {
    "original_width": "width of the original, px",
    "original_height": "height of the original, px",
    "width": "width, px",
    "height": "height, px",
    "caption_characters": "length of the caption, characters",
    "segments": "segments",
    "edge_density": "edges, share of pixels",
    "soft_edge_mean": "soft edges, mean (1 is white)",
    "depth_mean": "depth, mean (near is 1)",
    "fg_depth_mean": "depth of the foreground, mean",
    "bg_depth_mean": "depth of the background, mean",
    "mask_area": "mask, share of pixels",
    "people": "people",
}


def distributions(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    """A histogram for every number that varies, a sentence for those that do not, shares of texts with few values."""
    names = sorted({name for row in rows for name in row} - IDENTITIES, key=_order)
    numbers: list[Histogram] = []
    constant: list[str] = []
    shares: list[Block] = []
    for name in names:
        values = [row[name] for row in rows if row.get(name) is not None]
        if values and all(isinstance(value, int | float) for value in values):
            array = np.array(values, np.float64)
            array = array[np.isfinite(array)]
            if array.size and array.min() == array.max():
                constant.append(f"{TITLES.get(name, name)} {_short(array[0])}")
            elif array.size:
                numbers.append(histogram(TITLES.get(name, name), array))
        elif 1 < len(set(values)) <= FEW_VALUES:
            shares.append(_shares(name, values))
    blocks: list[Block] = [Histograms(numbers)] if numbers else []
    if constant:
        blocks.append(Text(f"The same in every record: {'; '.join(constant)}."))
    return blocks + shares


def _order(name: str) -> tuple[int, str]:
    known = list(TITLES)
    return (known.index(name) if name in known else len(known), name)


def histogram(name: str, values: Array) -> Histogram:
    """Up to 24 bars of equal width from the least to the greatest; a bar for each of a few whole numbers."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    if whole and high - low < BINS:
        edges = np.arange(low - 0.5, high + 1)
        ranges = [_short(low + i) for i in range(len(edges) - 1)]
    else:
        edges = np.linspace(low, high, BINS + 1)
        ranges = [f"{_short(a)} to {_short(b)}" for a, b in pairwise(edges)]
    counts, _ = np.histogram(values, edges)
    median = float(np.median(values))
    return Histogram(
        name=name,
        bins=[Bin(int(count), text) for count, text in zip(counts, ranges, strict=True)],
        low=_short(low),
        high=_short(high),
        marker=float((median - edges[0]) / (edges[-1] - edges[0])),
        note=f"median {_short(median)}, mean {_short(float(values.mean()))}",
    )


def _shares(name: str, values: Iterable[Any]) -> Table:
    counts = Counter(str(value) for value in values)
    total = counts.total()
    rows = [
        [Cell(value), Cell(count_text(count)), Cell(f"{100 * count / total:.1f}%", bar=count / total)]
        for value, count in counts.most_common()
    ]
    return Table((name.replace("_", " "), "records", "share"), rows, frozenset({"records"}))


def _short(value: float) -> str:
    return count_text(round(value)) if value == round(value) or abs(value) >= 100 else f"{value:.3g}"
