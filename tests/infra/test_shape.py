"""JSON held to its shape."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from sluice.infra.shape import read_shaped


class _Pair(BaseModel):
    left: int
    right: list[str] = []


def test_what_the_shape_does_not_name_is_kept() -> None:
    assert read_shaped(_Pair, b'{"left": 1, "more": {"a": null}}') == {"left": 1, "more": {"a": None}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "Invalid JSON: "),
        (b"\xff\xfe", "Invalid JSON: "),
        (b"[]", "should be an object"),
        (b"{}", "left: Field required"),
        (b'{"left": "1"}', "left: should be a valid integer"),
        (b'{"left": 1, "right": ["a", 2]}', "right.1: should be a valid string"),
    ],
)
def test_the_first_wrong_value_is_named(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        read_shaped(_Pair, data)
