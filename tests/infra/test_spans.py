"""Lengths of time."""

from __future__ import annotations

import pytest

from sluice.infra.settings import ConfigError
from sluice.infra.spans import seconds_of


def test_spans_are_numbers_with_a_unit() -> None:
    assert [seconds_of(span, "every:") for span in ("0s", "1.5m", "6h", "7d")] == [0, 90, 6 * 3600, 7 * 24 * 3600]


@pytest.mark.parametrize("span", ["36501d", "1000000000d", "9" * 400 + "s"])
def test_what_no_clock_reckons_with_is_refused(span: str) -> None:
    with pytest.raises(ConfigError, match=r"every: \d+[ds]: give a hundred years, 36500d, or less"):
        seconds_of(span, "every:")
