"""A training's log: JSON lines, each a step and its losses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sluice.infra.whole import write_whole


def read_losses(log: Path) -> list[dict[str, float]]:
    """The lines of a log; one that a kill has cut is left out."""
    lines = []
    for line in log.read_text().splitlines() if log.exists() else []:
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def write_losses(log: Path, lines: Sequence[Mapping[str, float]]) -> None:
    """The log anew, whole or not at all."""
    write_whole(log, "".join(json.dumps(line) + "\n" for line in lines))
