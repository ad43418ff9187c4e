"""A Ctrl-C whose exception somebody swallowed ends the run all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sluice.infra import interrupts

SWALLOWED = """
import os, signal
from sluice.infra import interrupts
interrupts.listen()
class Deaf:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})
        for _ in range(1000): pass
deaf = Deaf()
del deaf
print(interrupts.pressed())
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_is_remembered_where_a_destructor_swallows_it(name: str) -> None:
    code = SWALLOWED.format(signal=name)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr
    assert "Exception ignored" in ran.stderr


def test_it_raises_where_nobody_swallows_it() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupts.listen()
        assert not interrupts.pressed()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.pressed()
        interrupts.listen()
        assert not interrupts.pressed()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_it_stays_ignored_where_the_shell_ignores_it() -> None:
    code = (
        "import os; from sluice.infra import interrupts as i; i.listen(); os.kill(os.getpid(), 2); print(i.pressed())"
    )
    ran = subprocess.run(["sh", "-c", f"trap '' INT; {sys.executable} -c '{code}'"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "False\n"), ran.stderr


HELD = """
import os, signal
from sluice.infra import interrupts
interrupts.listen()
with interrupts.held() as came:
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", came(), interrupts.pressed())
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("the second acts", interrupts.pressed())
print(signal.getsignal(signal.SIGINT) is interrupts._interrupt)
"""


def test_it_waits_for_a_step_to_be_whole_but_once() -> None:
    ran = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["still here True False", "the second acts True", "True"], ran.stderr
