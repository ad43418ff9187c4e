"""The bound on what a block may ask for, in this process."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading

import pytest

from sluice.infra.memory import at_most

MB = 1 << 20
ASKED = """
import resource
from sluice.infra.memory import at_most

before = resource.getrlimit(resource.RLIMIT_DATA)
with at_most(100 << 20):
    assert len(bytearray(60 << 20)) == 60 << 20
    try:
        bytearray(120 << 20)
    except MemoryError:
        print("refused")
assert resource.getrlimit(resource.RLIMIT_DATA) == before
assert len(bytearray(120 << 20)) == 120 << 20
print("given")
"""
"""In a process of its own: what a long-lived heap has free it gives without asking the system."""


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_more_is_a_memory_error_and_afterwards_there_is_no_bound() -> None:
    run = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["refused", "given"]


def test_a_block_that_raises_leaves_no_bound() -> None:
    before = soft()
    with pytest.raises(ValueError, match="inside"), at_most(MB):
        raise ValueError("inside")
    assert soft() == before


def test_a_lower_bound_of_the_user_stays() -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 34, hard))
        with at_most(1 << 40):
            assert soft() == 1 << 34
        assert soft() == 1 << 34
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def test_threads_may_together_ask_for_what_each_may() -> None:
    inside, over = threading.Barrier(3), threading.Barrier(3)
    held: list[int] = []

    def hold() -> None:
        with at_most(100 * MB):
            inside.wait()
            held.append(len(bytearray(80 * MB)))
            over.wait()

    before, threads = soft(), [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    over.wait()
    for thread in threads:
        thread.join()
    assert held == [80 * MB, 80 * MB]
    assert soft() == before
