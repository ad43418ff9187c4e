"""Names that would move a terminal's cursor or feign lines of others."""

from __future__ import annotations

import pytest

from sluice.infra.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("漢字 é.jpg", "漢字 é.jpg"),
        ("a\x1b[2J\x1b[31m.jpg", r"a\x1b[2J\x1b[31m.jpg"),
        ("a\ndata set prod: all well", r"a\ndata set prod: all well"),
        ("gpj.\u202ea", r"gpj.\u202ea"),
        ("\udcff.jpg", r"\udcff.jpg"),
    ],
)
def test_what_does_not_print_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_lines_stay_lines() -> None:
    assert printable_lines("one\ntwo\r\nthree") == "one\ntwo\\r\nthree"
