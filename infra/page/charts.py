"""Charts of a page that show several things at once: lines over one axis, maps of shades, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Line:
    """One of several: `points` (x, y) from 0 to 1, y upwards, and what its own 0 and 1 are, in words."""

    name: str
    points: Sequence[tuple[float, float]]
    span: str


@dataclass(frozen=True)
class Lines:
    """Lines in one frame with a legend; `across` are the ends of the axis that they share."""

    what: ClassVar[str] = "lines"
    name: str
    lines: Sequence[Line]
    across: tuple[str, str]
    note: str = ""


@dataclass(frozen=True)
class HeatMap:
    """Values 0 to `most` by named rows and columns, darker where more."""

    what: ClassVar[str] = "heat map"
    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    most: float
    note: str = ""


@dataclass(frozen=True)
class Whisker:
    """An estimate and the ends of its interval, places from 0 to 1 on an axis, and the same in words."""

    name: str
    low: float
    at: float
    high: float
    told: str


@dataclass(frozen=True)
class Whiskers:
    """Estimates under each other on one axis; `across` are its ends."""

    what: ClassVar[str] = "whiskers"
    name: str
    rows: Sequence[Whisker]
    across: tuple[str, str]
    note: str = ""


@dataclass(frozen=True)
class Charts:
    """Charts side by side."""

    kind: ClassVar[str] = "charts"
    charts: Sequence[Lines | HeatMap | Whiskers]
    title: str = ""
