"""A Ctrl-C that waits until a step is whole."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Hold SIGINT and SIGTERM back within the block; the function says whether one came. A second one acts at once."""
    came = False

    def hold(number: int, _frame: object) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, None)
        came = True

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
