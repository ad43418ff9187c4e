"""What a run says of itself, as the blocks of a page.

Whoever reports something (a data set, a training, a composition) says what it has to say in these blocks; how a block
looks is in `page.html` and `page.css` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sluice.infra.page.charts import Charts

Tone = Literal["plain", "good", "warn", "bad", "muted"]


UNFINISHED = "unfinished"
"""The mark of a page of something that goes on, or may."""


@dataclass(frozen=True)
class Notice:
    """What a reader must see first: a mark in one or two words, and the sentence behind it."""

    mark: str
    text: str
    tone: Tone = "warn"


@dataclass(frozen=True)
class Term:
    """A number with its name."""

    name: str
    value: int
    tone: Tone = "plain"


@dataclass(frozen=True)
class Sum:
    """An equation, `whole` = the sum of `parts`, over a bar that shows each part's share."""

    kind: ClassVar[str] = "sum"
    whole: Term
    parts: Sequence[Term]


@dataclass(frozen=True)
class Text:
    """A paragraph; text between `backticks` is set as code."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Code:
    """Text as it is, line by line."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Cell:
    """A table's cell. `bar` draws a share from 0 to 1 under the text, `notes` are small lines beneath it.

    `link` is a file beside the page.
    """

    text: str
    code: bool = False
    full: str = ""
    bar: float | None = None
    notes: Sequence[str] = ()
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; on a narrow screen each row becomes a list. `numbers` names the columns set right."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fold:
    """Blocks under a line that opens and closes them."""

    kind: ClassVar[str] = "fold"
    title: str
    count: str
    blocks: Sequence[Block]
    tone: Tone = "plain"
    open: bool = False


@dataclass(frozen=True)
class Bin:
    """A histogram's bar: how many, and the range they lie in."""

    count: int
    range: str


@dataclass(frozen=True)
class Histogram:
    """How a quantity is distributed. `marker` is the median's place, 0 at the left end and 1 at the right."""

    name: str
    bins: Sequence[Bin]
    low: str
    high: str
    marker: float | None
    note: str


@dataclass(frozen=True)
class Histograms:
    """Small histograms side by side."""

    kind: ClassVar[str] = "histograms"
    histograms: Sequence[Histogram]


@dataclass(frozen=True)
class Curve:
    """How a quantity goes: `points` (x, y) from 0 to 1, y upwards, and what the ends of both axes are."""

    name: str
    points: Sequence[tuple[float, float]]
    across: tuple[str, str]
    up: tuple[str, str]
    note: str


@dataclass(frozen=True)
class Curves:
    """Small curves side by side."""

    kind: ClassVar[str] = "curves"
    curves: Sequence[Curve]


@dataclass(frozen=True)
class Figure:
    """A picture with its label, or a few words where there is none. `source` is a data URI of `width` x `height`.

    `link` is a file beside the page that it leads to.
    """

    label: str
    source: str = ""
    width: int = 0
    height: int = 0
    text: str = ""
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Strip:
    """Figures side by side."""

    kind: ClassVar[str] = "strip"
    figures: Sequence[Figure]
    title: str = ""
    size: Literal["tiny", "small", "medium", "large"] = "small"


@dataclass(frozen=True)
class Card:
    """One thing of many, with an address of its own on the page (`#id`); `body` is its text, shown in its direction."""

    id: str
    facts: Sequence[str]
    body: str
    strips: Sequence[Strip]


@dataclass(frozen=True)
class Cards:
    """Many things, as wide as the one with the most figures needs."""

    kind: ClassVar[str] = "cards"
    cards: Sequence[Card]

    @property
    def figures(self) -> int:
        """The most figures that a card has side by side."""
        return max((len(strip.figures) for card in self.cards for strip in card.strips), default=1)


@dataclass(frozen=True)
class Flip:
    """Figures that differ in little: side by side, or chosen one after another in one place, by keys too.

    `id` is the block's own on its page.
    """

    kind: ClassVar[str] = "flip"
    id: str
    title: str
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Tree:
    """Something that nests, in words: its text, a small note, and its branches."""

    kind: ClassVar[str] = "tree"
    text: str
    note: str = ""
    branches: Sequence[Tree] = ()


Block = Sum | Text | Code | Table | Fold | Histograms | Curves | Charts | Strip | Flip | Cards | Tree


@dataclass(frozen=True)
class Section:
    """A part of the page, in its table of contents by its title."""

    id: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


@dataclass(frozen=True)
class Page:
    """A whole page: a name, what kind of thing it is, facts in pairs, notices, sections.

    `refresh` is after how many seconds a browser looks at it again.
    """

    title: str
    about: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    notices: Sequence[Notice] = field(default=())
    refresh: float | None = None
