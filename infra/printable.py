"""What others named, for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """A line whose control characters are seen as escapes: printed, they could clear a screen or feign other lines."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """The same of several lines."""
    return "\n".join(map(printable, text.split("\n")))
