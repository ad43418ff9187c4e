"""A Ctrl-C that cannot get lost: what swallows its exception does not swallow that it was pressed.

While Ray and Prefect start, destructors, callbacks and event loops of theirs run in the main thread, and an exception
that lands in one of them goes no further. So whoever runs for long asks here, too.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sluice.infra.errors import SluiceError


class Interrupted(SluiceError):
    """An interrupt after which something goes on elsewhere: what it says stands in the place of how to go on."""

    exit_code = 130


_pressed = False  # and not an Event, whose lock the handler could meet taken by itself


def listen() -> None:
    """From now on Ctrl-C and SIGTERM raise KeyboardInterrupt and are remembered; Ctrl-C stays ignored where it is.

    SIGTERM is what ends a job of a cluster. For the main thread.
    """
    global _pressed
    _pressed = False
    for number in _heard():
        signal.signal(number, _interrupt)


def pressed() -> bool:
    """Whether this process was asked to end since it listens."""
    return _pressed


def interrupt() -> NoReturn:
    """What a Ctrl-C does. Raises KeyboardInterrupt."""
    global _pressed
    _pressed = True
    raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Hold SIGINT and SIGTERM back within the block; the function says whether one came. A second one acts at once.

    Only a main thread hears them; elsewhere none ever comes.
    """
    came = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            _interrupt(number, frame)
        came = True

    before = {number: signal.signal(number, hold) for number in _heard()}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heard() -> list[int]:
    """SIGTERM, and SIGINT but where it is ignored, as in the background of a shell script."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGINT]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    interrupt()
