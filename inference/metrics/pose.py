"""How near the points of figures are to where they are wanted: PCK and OKS.

Points are `(..., points, 3)`: x and y in pixels, and above 0 where the point was found, or is wanted. Leading
dimensions broadcast, so that `oks(found[:, None], wanted, area)` compares everybody with everybody.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, counted, finite, shaped

COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
)  # fmt: skip
"""How far annotators differ by COCO's 17 points, in shares of a figure's scale (its Table of OKS constants)."""

OPENPOSE_SIGMAS = (
    0.026, 0.079, 0.079, 0.072, 0.062, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089, 0.107, 0.087, 0.089, 0.025, 0.025,
    0.035, 0.035,
)  # fmt: skip
"""The same for the records' 18 points; the neck, which COCO lacks, as its shoulders."""

SHARE = 0.2


def pck(found: Tensor, wanted: Tensor, length: Tensor, share: float = SHARE) -> Tensor:
    """Share of the wanted points that were found within `share` of a figure's reference length, `(...)`.

    `length` `(...)` in pixels: the torso's for PCK@0.2 (Yang and Ramanan, 2013), the head's for PCKh with a share of
    0.5. 0 to 1; higher is better. Raises Unmeasurable where no point is wanted, and for a length of 0.
    """
    _shaped("PCK", found, wanted)
    _above_zero("PCK", length=length)
    right = _apart("PCK", found, wanted) <= (share * length[..., None]).square()
    return _mean_of_wanted("PCK", (right & (found[..., 2] > 0)).to(found), wanted)


def oks(found: Tensor, wanted: Tensor, area: Tensor, sigmas: tuple[float, ...] = COCO_SIGMAS) -> Tensor:
    """Object keypoint similarity `(...)`: mean over wanted points of `exp(-d^2 / 2 s^2 k^2)`, k twice the sigma (COCO).

    `area` `(...)` is `s^2`, the figure's segment in square pixels. 0 to 1; higher is better; points not found count 0.
    Raises Unmeasurable where no point is wanted, and for an area of 0.
    """
    _shaped("OKS", found, wanted)
    if wanted.shape[-2] != len(sigmas):
        raise Unmeasurable(
            f"OKS: figures have {wanted.shape[-2]} points, but there are {len(sigmas)} sigmas; COCO's 17 points are "
            "measured by COCO_SIGMAS, the records' 18 by OPENPOSE_SIGMAS"
        )
    _above_zero("OKS", area=area)
    spread = (2 * torch.tensor(sigmas).to(found)).square() * area[..., None]
    likeness = torch.exp(-_apart("OKS", found, wanted) / (2 * spread))
    return _mean_of_wanted("OKS", likeness * (found[..., 2] > 0), wanted)


def _shaped(metric: str, found: Tensor, wanted: Tensor) -> None:
    shaped(metric, "(..., points, 3)", found=found, wanted=wanted)
    if found.shape[-2:] != wanted.shape[-2:]:
        raise Unmeasurable(
            f"{metric}: as many points must be found as are wanted, and are {tuple(found.shape)} and "
            f"{tuple(wanted.shape)}"
        )


def _above_zero(metric: str, **sizes: Tensor) -> None:
    alike(metric, **sizes)
    for name, size in sizes.items():
        if not (size > 0).all():
            raise Unmeasurable(f"{metric}: every figure needs {name} above 0, in pixels; the least is {size.min():g}")


def _apart(metric: str, found: Tensor, wanted: Tensor) -> Tensor:
    finite(metric, found=found, wanted=wanted)
    return (found[..., :2] - wanted[..., :2]).square().sum(dim=-1)


def _mean_of_wanted(metric: str, values: Tensor, wanted: Tensor) -> Tensor:
    there = wanted[..., 2] > 0
    counted(metric, "wanted points", there.sum(dim=-1).flatten())
    return (values * there).sum(dim=-1) / there.sum(dim=-1)
