"""`sluice evaluate metrics`: every metric, ours and those of installed packages."""

from __future__ import annotations

from rich.table import Column, Table
from rich.text import Text

from sluice.inference.metrics.registry import metrics

HEAD = ("name", "what it is", "unit", "range", "better", "at least")


def table() -> Table:
    """A row for each: its function's first line, what numbers mean, how many pictures it takes."""
    found = Table(Column(HEAD[0], no_wrap=True), *HEAD[1:], box=None)
    for name, own in metrics().items():
        says = (own.of.__doc__ or "").strip().partition("\n")[0]
        low, high = own.range
        cells = name, says, own.unit, f"{low:g} to {high:g}", own.better, str(own.minimum)
        found.add_row(*map(Text, cells))  # as it is: brackets are no markup
    return found
