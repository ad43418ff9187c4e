"""What the papers print, to stand beside what is measured here: of other models and data, so that signs compare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

FILE = Path(__file__).parents[1] / "configs" / "published.yaml"
MISSING = "null"


class Published(BaseModel):
    """A table of a paper: what its numbers are, on what they were measured, and a row for each method.

    It stands `beside` a figure of ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    data: str
    figure: str
    better: Literal["higher", "lower"]
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    beside: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for method, row in self.rows.items():
            if len(row) != len(self.columns):
                raise ValueError(f"{self.source}: {method} has {len(row)} numbers for {len(self.columns)} columns")
            for printed in row:
                if printed != MISSING:
                    float(printed)
        return self

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"{self.source}: {self.figure}, {self.better} is better; {self.data}"

    def cells(self) -> list[tuple[str, ...]]:
        """Every row in words, its method first."""
        return [(method, *("" if own == MISSING else own for own in row)) for method, row in self.rows.items()]


def beside(protocol: str, figures: Sequence[str]) -> dict[str, list[Published]]:
    """What stands beside each of our figures, and under "" what stands beside none of them."""
    found: dict[str, list[Published]] = {}
    for table in published().get(protocol, ()):
        found.setdefault(table.beside if table.beside in figures else "", []).append(table)
    return found


@cache
def published() -> dict[str, tuple[Published, ...]]:
    """All of them, by protocol."""
    tables: TypeAdapter[dict[str, tuple[Published, ...]]] = TypeAdapter(dict[str, tuple[Published, ...]])
    # The base loader leaves numbers as they are printed, with their last zeros.
    return tables.validate_python(yaml.load(FILE.read_text(), yaml.BaseLoader))
