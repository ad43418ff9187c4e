"""A command of a timetable, in a process that ends when the flow that started it does, even where that was killed.

Its standard input is its life line: nothing is ever written there, and it ends with whoever holds the other end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from sluice.flows.cli import command_line

END_SECONDS = 120.0
"""How long a command may take to keep what it did, once it is told to stop."""


def _end_with_flow() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_flow, daemon=True).start()
    command_line()
