"""What a run left out, cut, withheld or made smaller, and who judged what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sluice.flows.compose.page.made import Found
from sluice.flows.compose.page.results import told
from sluice.flows.compose.run.safety import NONE, THRESHOLD
from sluice.flows.compose.run.tables import Row
from sluice.infra.page.blocks import Block, Cell, Table, Text

MOST = 50
"""Rows of a table."""
UNJUDGED = "Nothing judged these pictures: `safety` is `none`, as it is for models that draw tabletop's scenes alone."
Said = tuple[str, str, str, str]
"""Of whom, what happened, how, and in which file it is told."""


def left_out_blocks(found: Sequence[Found], wrong: Sequence[Row]) -> list[Block]:
    """Who judged, and a row for everything that a reader of the pictures should know."""
    rows = [*_of_rows(wrong), *(said for own in found for said in _of_picture(own))]
    blocks: list[Block] = [Text(text) for text in judged(found)]
    if rows:
        cells = [[Cell(who, link=file), Cell(what), Cell(how)] for who, what, how, file in rows[:MOST]]
        blocks.append(Table(("of", "what", "why or when"), cells))
    if len(rows) > MOST:
        blocks.append(Text(f"And {len(rows) - MOST} more, in the `.json` of each picture and in `quarantine`."))
    return blocks


def judged(found: Sequence[Found]) -> Iterator[str]:
    """Who judged these pictures, and the highest that was found of those that are shown."""
    verdicts = [own.record["safety"] for own in found if own.pixels is not None and "safety" in own.record]
    for by in dict.fromkeys(verdict["by"] for verdict in verdicts):
        if by == NONE:
            yield UNJUDGED
            continue
        highest = max(verdict["unsafe"] for verdict in verdicts if verdict["by"] == by)
        yield f"Judged by `{by}`: {highest:.4g} of 1 is the highest here, and what is above {THRESHOLD:g} is withheld."


def _of_rows(wrong: Sequence[Row]) -> Iterator[Said]:
    for row in wrong:
        yield f"row {row.number}", "left out: wrong", row.wrong or "", f"quarantine/row-{row.number}.json"


def _of_picture(own: Found) -> Iterator[Said]:
    who = f"{told(own.asked.prompt)}, seed {own.asked.seed}"
    file = own.file.replace(".png", ".json")
    if own.pixels is None:
        yield who, "withheld", own.reason, file
    for text in own.record.get("cut", ()):
        yield who, "text cut", f"it is longer than its model reads: {text}", file
    if "batch" in own.record:
        yield who, "batch made smaller", f"memory held {own.record['batch']} at once", file
    for energy, times in own.record.get("left_out", {}).items():
        yield who, f"{energy} left out", f"it had no finite gradient at t {', '.join(map(str, times))}", file
