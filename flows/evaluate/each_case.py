"""Figures case by case, as a table beside a protocol's results: what pairs two runs, or whatever else asks for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sluice.infra.settings import ConfigError
from sluice.infra.whole import write_whole

COLUMNS = ["figure", "condition", "method"]
Place = tuple[str, str, str]
"""Of a figure: its name, its condition and its method."""


def keep_cases(values: Mapping[Place, Tensor], path: Path) -> None:
    """Write `(cases,)` of each figure in a row."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    most = max((len(own) for own in values.values()), default=0)
    rows.writerow([*COLUMNS, *(f"case {number}" for number in range(most))])
    for place, own in values.items():
        rows.writerow([*place, *(f"{value:.6g}" for value in own.tolist())])
    write_whole(path, text.getvalue())


def cases_of(path: Path) -> dict[Place, Tensor]:
    """What was kept, nothing where nothing was. Raises ConfigError for another table."""
    if not path.exists():
        return {}
    try:
        head, *rows = csv.reader(io.StringIO(path.read_text()))
        if head[:3] != COLUMNS:
            raise ValueError(f"its first columns are {', '.join(head[:3])}, not {', '.join(COLUMNS)}")
        return {(row[0], row[1], row[2]): torch.tensor([float(own) for own in row[3:]]) for row in rows}
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise ConfigError(
            f"{path} is no table of figures by case, as `sluice evaluate` writes it ({error}): delete it, and figures "
            "are compared by their intervals alone"
        ) from error
