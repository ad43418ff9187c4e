"""What every metric asks of what it is given, with errors that name the metric."""

from __future__ import annotations

from torch import Tensor

from sluice.infra.errors import SluiceError


class Unmeasurable(SluiceError):
    """A metric was given something that it has no value for."""


def finite(metric: str, **given: Tensor) -> None:
    """Raises Unmeasurable where a row of some tensor holds NaN or infinity, or there are no rows."""
    for name, tensor in given.items():
        if not len(tensor):
            raise Unmeasurable(f"{metric}: there are no {name} to measure")
        if tensor.sum().isfinite():  # nothing that is not finite goes into a sum that is
            continue
        broken = (~tensor.reshape(len(tensor), -1).isfinite().all(dim=1)).nonzero().flatten().tolist()
        if broken:
            raise Unmeasurable(
                f"{metric}: {name} {_listed(broken)} of {len(tensor)} hold NaN or infinity, and such a picture has no "
                "value; find out why it was made, or leave it out and say how many were"
            )


def alike(metric: str, **given: Tensor) -> None:
    """Raises Unmeasurable unless all have the same shape."""
    if len({tensor.shape for tensor in given.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in given.items())
        raise Unmeasurable(
            f"{metric}: these must be equally many of one size, but they are {shapes}; bring them to one size first, "
            "both in the same way"
        )


def within(metric: str, low: float, high: float, **given: Tensor) -> None:
    """Raises Unmeasurable where a value lies outside of a range."""
    for name, tensor in given.items():
        if tensor.numel() and (tensor.min() < low or tensor.max() > high):
            raise Unmeasurable(
                f"{metric}: {name} must hold values from {low:g} to {high:g}, not {float(tensor.min()):g} to "
                f"{float(tensor.max()):g}; scale them first"
            )


def enough(metric: str, minimum: int, **given: int) -> None:
    """Raises Unmeasurable where there are fewer than `minimum`."""
    for name, count in given.items():
        if count < minimum:
            raise Unmeasurable(f"{metric} needs at least {minimum} {name}; there are {count}")


def counted(metric: str, what: str, counts: Tensor) -> None:
    """Raises Unmeasurable where a count `(batch,)` is 0, so that its picture has no mean."""
    empty = (counts == 0).nonzero().flatten().tolist()
    if empty:
        raise Unmeasurable(
            f"{metric}: there are no {what} in {_listed(empty)} of {len(counts)}; leave those out and say how many were"
        )


def _listed(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:5])) + (" and others" if len(rows) > 5 else "")
