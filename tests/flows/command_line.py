"""The command line in this process, and how it ends where something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """How a command ended: its exit code, and what it wrote to stdout and stderr."""

    code: int
    out: str
    error: str


Sluice = Callable[..., Said]


def assert_paragraph(said: Said, code: int, words: str) -> None:
    """This exit code and one readable paragraph with these words (a pattern), and no traceback."""
    assert said.code == code, said
    text = said.error.removeprefix("Error: ")
    assert re.search(words, text), text
    assert "Traceback" not in said.out + said.error
    assert len(text.strip().splitlines()) <= 8
    assert "Errno" not in text
