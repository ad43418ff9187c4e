"""What was noted of a picture while it was sampled, as plain values: a small JSON, for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from torch import Tensor

from sluice.flows.compose.page.thumbnails import thumbnail
from sluice.inference.watching import Watch
from sluice.preprocess.record import Array

FOLDER = "watched"
PICTURES = 4
"""Of a run's first batch that are watched."""
ESTIMATES, TIMES = 8, 50
"""Of a picture: foreseen pictures that are shown, and moments of which numbers are kept."""

T = TypeVar("T")


def plain_notes(watch: Watch, place: int, show: Callable[[Tensor], Array]) -> dict[str, Any]:
    """Of the picture at a place in its batch; `show` makes RGB uint8 `(height, width, 3)` of latents `(1, ...)`."""
    foreseen, numbers = [], []
    for (what, whose), by_time in watch.notes.of.items():
        if what == "estimate":
            times = evenly(list(by_time), ESTIMATES)
            shown = [asdict(thumbnail(f"t {t}", show(by_time[t][place : place + 1]))) for t in times]
            foreseen.append({"of": whose, "figures": shown})
        else:
            times = evenly(list(by_time), TIMES)
            values = [_rounded(by_time[t][place].tolist()) for t in times]
            numbers.append({"what": what, "of": whose, "at": times, "values": values})
    return {"foreseen": foreseen, "numbers": numbers}


def evenly(things: Sequence[T], most: int) -> list[T]:
    """At most so many, the same distance apart, the first and the last among them."""
    if len(things) <= most:
        return list(things)
    return [things[round(i * (len(things) - 1) / (most - 1))] for i in range(most)]


def _rounded(value: Any) -> Any:
    """To four digits."""
    return [_rounded(own) for own in value] if isinstance(value, list) else float(f"{value:.4g}")
