"""Why images were left out, each cause once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sluice.infra.printable import printable
from sluice.preprocess.page.quarantine import Entry, first_line, without_particulars

SHOWN = 5


def causes(entries: Iterable[Entry]) -> Iterator[str]:
    """Lines: an image and how many more like it, the stage, the reason; then how many there are of other causes."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        where = entry["stage"] if entry["kind"] == "failed" else f"{entry['stage']}, {entry['kind']}"
        found[where, without_particulars(entry)].append(entry)
    for (where, _), (one, *more) in [*found.items()][:SHOWN]:
        name = one["uri"] + (f" and {len(more)} more" if more else "")
        yield printable(f"  {name} ({where}): {first_line(one)}")
    if others := [len(alike) for alike in found.values()][SHOWN:]:
        yield f"  and {sum(others)} more of {len(others)} other cause{'s' if len(others) > 1 else ''}"
