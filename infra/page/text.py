"""Numbers, durations and moments as one reads them."""

from __future__ import annotations

from datetime import datetime


def count_text(count: int) -> str:
    """12345 as 12,345."""
    return f"{count:,}"


def bytes_text(size: float) -> str:
    """A number of bytes to three digits: 915456 is 915 kB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.3g} {unit}"


def seconds_text(seconds: float) -> str:
    """A duration as one reads it: 0.19 s, 6.9 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{count_text(minutes // 60)} h {minutes % 60} min"


def time_text(when: datetime) -> str:
    """A moment to the minute: 21 November 2026, 09:05 UTC."""
    return f"{when.day} {when:%B %Y, %H:%M %Z}"
