"""How natural a picture looks, without another one to compare it with (NIQE; Mittal et al., 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate
from scipy.special import gamma
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, pictured
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

NAME = "NIQE"
BLOCK = 96
SCALES = (1, 2)
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
ROUNDING = 1e-9
LUMA = (0.2989, 0.5870, 0.1140)
SHAPES = np.arange(200, 10001) / 1000
"""Shapes of the generalised Gaussian that are tried, from sharp to flat: 2 is the normal one."""


@dataclass(frozen=True)
class Pristine:
    """What blocks of natural pictures are like: mean `(36,)` and covariance `(36, 36)` of features; and the window."""

    mean: Array
    covariance: Array
    window: Array

    @classmethod
    def load(cls, path: Path) -> Pristine:
        """From the npz of the catalogue's 'niqe'. Raises UnusableWeights."""
        try:
            with np.load(path) as file:
                return cls(file["mu_pris_param"].ravel(), file["cov_pris_param"], file["gaussian_window"])
        except (OSError, ValueError, KeyError) as error:
            raise UnusableWeights(
                f"'{path}' does not hold NIQE's parameters: expected mu_pris_param, cov_pris_param and gaussian_window "
                f"in an npz ({error}); pull the model 'niqe'"
            ) from error


def niqe(pictures: Tensor, pristine: Pristine) -> Tensor:
    """Distance of a picture's blocks from those of natural pictures, `(batch,)` (Eq. 10).

    Of pictures `(batch, 3, height, width)`, values -1 to 1 (those beyond count as the ends), in their grey values. 0 or
    more; lower is better: photographs have 2 to 6. Raises Unmeasurable below two blocks of 96 x 96, and for pictures of
    which fewer have any texture.
    """
    pictured(NAME, pictures=pictures)
    rows, columns = (side // BLOCK for side in pictures.shape[2:])
    if rows * columns < 2:
        raise Unmeasurable(
            f"{NAME} takes pictures of at least two blocks of {BLOCK} x {BLOCK}; these have {tuple(pictures.shape[2:])}"
        )
    cropped = brightness(pictures)[:, : rows * BLOCK, : columns * BLOCK]
    return torch.tensor([_distance(features_of(one, pristine.window), pristine) for one in cropped])


def brightness(pictures: Tensor) -> Tensor:
    """Grey values `(batch, height, width)`, 0 to 255, in the 256 steps that files and MATLAB's `rgb2gray` have."""
    weights = pictures.new_tensor(LUMA, dtype=torch.float64)[:, None, None]
    return ((pictures.clamp(-1, 1).double() + 1) * 127.5).round().mul(weights).sum(dim=1).round()


def features_of(grey: Tensor, window: Array) -> Array:
    """Of each block of a grey picture `(height, width)`, values 0 to 255: 18 features at two scales, `(blocks, 36)`."""
    halved = F.interpolate(grey[None, None], scale_factor=0.5, mode="bicubic", antialias=True)[0, 0]
    scales = zip((grey.cpu().numpy(), halved.cpu().numpy()), SCALES, strict=True)
    blocks = [_blocks(normalised(shown, window), BLOCK // scale) for shown, scale in scales]
    return np.concatenate([_features(some) for some in blocks], axis=1)


def normalised(shown: Array, window: Array) -> Array:
    """Grey values without their local mean, over their local deviation (Eq. 1)."""
    mean = correlate(shown, window, mode="nearest")
    deviation = np.sqrt(np.abs(correlate(shown**2, window, mode="nearest") - mean**2))
    # What is left of a plain picture by rounding is no texture.
    return np.where(np.abs(shown - mean) > ROUNDING, (shown - mean) / (deviation + 1), 0)


def _blocks(shown: Array, side: int) -> Array:
    rows, columns = shown.shape[0] // side, shown.shape[1] // side
    return shown.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _features(blocks: Array) -> Array:
    """Shape and width of the values, and of the products of neighbours in four directions (Eq. 3 to 9)."""
    shape, left, right = asymmetric_gaussian(blocks)
    found = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, left, right = asymmetric_gaussian(blocks * np.roll(blocks, shift, axis=(1, 2)))
        found += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(found, axis=1)


def asymmetric_gaussian(blocks: Array) -> tuple[Array, Array, Array]:
    """Shape, and widths below and above 0, that fit each block's values by moments, `(blocks,)` each (Eq. 5).

    NaN where a block has no value on one of the two sides.
    """
    values = blocks.reshape(len(blocks), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (_spread(values, side) for side in (values < 0, values > 0))
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    ratios = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))
    shape = SHAPES[np.abs(ratios - wanted[:, None]).argmin(axis=1)]
    shape = np.where(np.isnan(wanted), np.nan, shape)
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * width, right * width


def _spread(values: Array, side: Array) -> Array:
    return np.asarray(np.sqrt((values**2 * side).sum(axis=1) / side.sum(axis=1)))


def _distance(features: Array, pristine: Pristine) -> float:
    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        raise Unmeasurable(f"{NAME}: fewer than two blocks of a picture have any texture; leave it out and say so")
    apart = pristine.mean - np.nanmean(features, axis=0)
    spread = (pristine.covariance + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(apart @ np.linalg.pinv(spread) @ apart))
