from __future__ import annotations

import pytest

from sluice.preprocess.sources.safe_paths import printable, unsafe_path


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a.jpg", "a/../../b", "C:/a.jpg", "a\\b", "a\0b", "caf\udce9"])
def test_unsafe(name: str) -> None:
    assert unsafe_path(name)


@pytest.mark.parametrize("name", ["a.jpg", "a/b..c/d.jpg", "./a.jpg", "猫.jpg", "two\nlines"])
def test_safe(name: str) -> None:
    assert unsafe_path(name) is None
    assert printable(name) == name
