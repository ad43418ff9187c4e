"""A Ctrl-C that cannot get lost: what swallows its exception does not swallow that it was pressed.

While Ray and Prefect start, destructors, callbacks and event loops of theirs run in the main thread, and an exception
that lands in one of them goes no further. So whoever runs for long asks here, too.
"""

from __future__ import annotations

import signal
from types import FrameType

_pressed = False  # and not an Event, whose lock the handler could meet taken by itself


def listen() -> None:
    """From now on Ctrl-C and SIGTERM raise KeyboardInterrupt and are remembered; Ctrl-C stays ignored where it is.

    SIGTERM is what ends a job of a cluster. For the main thread.
    """
    global _pressed
    _pressed = False
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in the background of a shell script
        signal.signal(signal.SIGINT, _interrupt)


def pressed() -> bool:
    """Whether this process was asked to end since it listens."""
    return _pressed


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    raise KeyboardInterrupt
