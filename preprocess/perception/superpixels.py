"""Segments without a network: SLIC superpixels (Achanta et al. 2012), merged by colour in Ward's order (1963)."""

from __future__ import annotations

import numpy as np

from sluice.preprocess.perception.label_map import consecutive, merge_small_regions
from sluice.preprocess.record import Array


def superpixels(image: Array, segments: int = 24, start: int = 300, min_area: int = 0) -> Array:
    """Labels uint16 `(height, width)`, 1 .. at most `segments`, of an RGB uint8 image; no pixel is left uncovered.

    Colour alone decides: objects of several colours fall apart, and neighbours of one colour flow together. `start` is
    the number of superpixels, `min_area` in pixels.
    """
    from skimage.color import rgb2lab
    from skimage.segmentation import slic

    labels = slic(image, start, compactness=10, sigma=1, start_label=0)
    merged = merge_by_colour(labels, rgb2lab(image), segments)
    return consecutive(merge_small_regions(merged + 1, min_area))


def merge_by_colour(labels: Array, image: Array, segments: int) -> Array:
    """Labels 0 .. n - 1 with neighbours merged until at most `segments` are left.

    Always those two whose union adds least to the squared deviation of colours from their segment's mean:
    n m / (n + m) |a - b|^2 for segments of n and m pixels with mean colours a and b.
    """
    _, labels = np.unique(labels, return_inverse=True)
    flat = labels.ravel()
    areas = np.bincount(flat).astype(float)
    means = np.stack([np.bincount(flat, channel.ravel()) / areas for channel in np.moveaxis(image, -1, 0)], 1)
    touching = _adjacency(labels, len(areas))
    names = np.arange(len(areas))
    cost = np.where(touching, _cost(areas[:, None], means[:, None], areas, means), np.inf)
    for _ in range(len(areas) - segments):
        kept, gone = np.unravel_index(np.argmin(cost), cost.shape)
        total = areas[kept] + areas[gone]
        means[kept] = (areas[kept] * means[kept] + areas[gone] * means[gone]) / total
        areas[kept] = total
        touching[kept] |= touching[gone]
        touching[kept, [kept, gone]] = False
        touching[gone], touching[:, gone], touching[:, kept] = False, False, touching[kept]
        cost[gone], cost[:, gone] = np.inf, np.inf
        cost[kept] = np.where(touching[kept], _cost(areas[kept], means[kept], areas, means), np.inf)
        cost[:, kept] = cost[kept]
        names[names == gone] = kept
    return names[labels]


def _cost(area: Array, mean: Array, areas: Array, means: Array) -> Array:
    cost: Array = area * areas / (area + areas) * ((mean - means) ** 2).sum(-1)
    return cost


def _adjacency(labels: Array, count: int) -> Array:
    """Which labels touch, bool `(count, count)`."""
    touching = np.zeros((count, count), bool)
    touching[labels[:, 1:], labels[:, :-1]] = True
    touching[labels[1:], labels[:-1]] = True
    touching |= touching.T
    np.fill_diagonal(touching, False)
    return touching
