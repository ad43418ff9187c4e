"""What every metric asks of what it is given, with errors that name the metric."""

from __future__ import annotations

from torch import Tensor

from sluice.infra.errors import SluiceError

FARTHEST = 4.0
"""A picture's value, of -1 to 1, that a decoder still comes to."""


class Unmeasurable(SluiceError):
    """A metric was given something that it has no value for."""


def finite(metric: str, **given: Tensor) -> None:
    """Raises Unmeasurable where a row of some tensor holds NaN or infinity, or a tensor holds nothing."""
    for name, tensor in given.items():
        _there(metric, name, tensor)
        if tensor.sum().isfinite():  # nothing that is not finite goes into a sum that is
            continue
        broken = (~tensor.reshape(len(tensor), -1).isfinite().all(dim=1)).nonzero().flatten().tolist()
        if broken:
            raise Unmeasurable(
                f"{metric}: {name} {_listed(broken)} of {len(tensor)} hold NaN or infinity, and such a picture has no "
                "value; find out why it was made, or leave it out and say how many were"
            )


def pictured(metric: str, **pictures: Tensor) -> None:
    """As `finite`, of `(batch, channels, height, width)`.

    Raises Unmeasurable also for values far from -1 to 1, such as levels of 0 to 255: all are white.
    """
    shaped(metric, "(batch, channels, height, width)", **pictures)
    finite(metric, **pictures)
    for name, tensor in pictures.items():
        low, high = tensor.aminmax()
        if not tensor.is_floating_point() or low < -FARTHEST or high > FARTHEST:
            raise Unmeasurable(
                f"{metric}: {name} must be floats from -1 to 1, not {str(tensor.dtype).removeprefix('torch.')} from "
                f"{float(low):g} to {float(high):g}; scale them first"
            )


def whole(metric: str, **given: Tensor) -> None:
    """Raises Unmeasurable for numbers of classes that are no whole ones, or where there are none."""
    for name, tensor in given.items():
        _there(metric, name, tensor)
        if tensor.is_floating_point():
            raise Unmeasurable(f"{metric}: {name} must be whole numbers of classes, not {tensor.dtype}")


def shaped(metric: str, axes: str, **given: Tensor) -> None:
    """Raises Unmeasurable for what has other axes than these, as `(n, width)`; one that is a number is so long.

    The first may be `...`, any number of axes.
    """
    named = axes.strip("(),").split(", ")
    last = named[1:] if named[0] == "..." else named
    for name, tensor in given.items():
        _tensor(metric, name, tensor)
        own = tuple(tensor.shape)[-len(last) :]
        many = tensor.ndim >= len(last) if last != named else tensor.ndim == len(last)
        if not many or any(axis.isdigit() and size != int(axis) for axis, size in zip(last, own, strict=True)):
            raise Unmeasurable(f"{metric}: {name} must be {axes}, and are {tuple(tensor.shape)}")


def alike(metric: str, **given: Tensor) -> None:
    """Raises Unmeasurable unless all have the same shape, and where there is nothing in the place of one."""
    for name, tensor in given.items():
        _tensor(metric, name, tensor)
    if len({tensor.shape for tensor in given.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in given.items())
        raise Unmeasurable(
            f"{metric}: these must be equally many of one size, but they are {shapes}; bring them to one size first, "
            "both in the same way"
        )


def within(metric: str, low: float, high: float, **given: Tensor) -> None:
    """Raises Unmeasurable where a value lies outside of a range, and as `finite`: what is not lies in none."""
    for name, tensor in given.items():
        _there(metric, name, tensor)
        least, most = tensor.aminmax()
        if not (least >= low and most <= high):
            finite(metric, **{name: tensor})
            raise Unmeasurable(
                f"{metric}: {name} must hold values from {low:g} to {high:g}, not {float(least):g} to {float(most):g}; "
                "scale them first"
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


def _tensor(metric: str, name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise Unmeasurable(
            f"{metric}: {name} must be a tensor, and are {type(value).__name__}; what has none is left out, and it is "
            "said how many were"
        )


def _there(metric: str, name: str, tensor: Tensor) -> None:
    _tensor(metric, name, tensor)
    if not tensor.numel():
        raise Unmeasurable(f"{metric}: there are no {name} to measure")


def _listed(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:5])) + (" and others" if len(rows) > 5 else "")
