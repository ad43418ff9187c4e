"""Lengths of time as people write them."""

from __future__ import annotations

import re

from sluice.infra.settings import ConfigError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 24 * 3600.0}
LONGEST = 36500 * UNITS["d"]
"""A hundred years: clocks and schedules reckon with no more."""
SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds_of(span: str, what: str) -> float:
    """`24h`, `30m`, `2d` or `0s` in seconds; `what` is where it stands. Raises ConfigError."""
    found = SPAN.fullmatch(span.strip())
    if found is None:
        raise ConfigError(f"{what} {span}: give a number with s, m, h or d behind it, such as 24h")
    seconds = float(found[1]) * UNITS[found[2]]
    if seconds > LONGEST:
        raise ConfigError(f"{what} {span}: give a hundred years, 36500d, or less")
    return seconds
