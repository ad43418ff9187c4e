"""The quarantine for a page: what was left out, grouped by reason, with examples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sluice.infra.page.blocks import Block, Cell, Fold, Table, Text
from sluice.infra.page.text import count_text

EXAMPLES = 5
GROUPS = 40
URI_CHARACTERS, REASON_CHARACTERS = 200, 600

Entry = Mapping[str, str]


def quarantine_blocks(entries: Sequence[Entry]) -> list[Block]:
    """A fold for each reason: failures before what filters left out, the most frequent first."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry["kind"], entry["stage"], without_particulars(entry)].append(entry)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] != "failed", -len(item[1]), item[0]))
    blocks: list[Block] = [
        _group(kind, stage, reason, members, opened=place == 0)
        for place, ((kind, stage, reason), members) in enumerate(ordered[:GROUPS])
    ]
    if len(ordered) > GROUPS:
        rest = count_text(sum(len(members) for _, members in ordered[GROUPS:]))
        others = count_text(len(ordered) - GROUPS)
        blocks.append(Text(f"{rest} more, for {others} other reasons: see `quarantine.parquet`."))
    return blocks


def first_line(entry: Entry) -> str:
    """The reason without what follows its first line."""
    lines = entry["reason"].strip().splitlines()
    return _cut(lines[0], REASON_CHARACTERS) if lines else "no reason given"


def without_particulars(entry: Entry) -> str:
    """The reason with what differs from image to image taken out: its name and the numbers."""
    text = first_line(entry).replace(entry["uri"], "…")
    return re.sub(r"\d(?:[\d.,]*\d)?", "N", text)


def _group(kind: str, stage: str, reason: str, members: Sequence[Entry], opened: bool) -> Fold:
    lines = {first_line(entry) for entry in members}
    title = f"{lines.pop() if len(lines) == 1 else reason} ({stage}{', filtered' if kind == 'filtered' else ''})"
    shown = sorted(members, key=lambda entry: (entry["uri"], entry["key"]))[:EXAMPLES]
    rows = [
        [
            Cell(_cut(entry["uri"], URI_CHARACTERS)),
            Cell(entry["key"] or "–", code=True),
            Cell(_cut(entry["reason"], REASON_CHARACTERS)),
        ]
        for entry in shown
    ]
    blocks: list[Block] = [Table(("image", "key", "reason"), rows)]
    if len(members) > len(shown):
        blocks.append(Text(f"and {count_text(len(members) - len(shown))} more"))
    return Fold(title, count_text(len(members)), blocks, "bad" if kind == "failed" else "muted", opened)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
