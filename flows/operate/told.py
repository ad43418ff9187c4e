"""Where something comes from, as a tree of lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluice.infra.errors import SluiceError
from sluice.infra.printable import printable


class NoLineage(SluiceError):
    """It is nothing of which Sluice knows where it comes from."""


@dataclass(frozen=True)
class Told:
    """One thing, and under it what it was made of."""

    line: str
    under: Sequence[Told] = ()

    def lines(self) -> Iterator[str]:
        """As text, those under it behind strokes."""
        yield printable(self.line)
        for place, own in enumerate(self.under):
            last = place == len(self.under) - 1
            first, *others = own.lines()
            yield f"{'└' if last else '├'} {first}"
            yield from (f"{' ' if last else '│'} {line}" for line in others)


def plain(values: object) -> str:
    """Settings on one line: `low 80, high 200`."""
    if isinstance(values, dict):
        return ", ".join(f"{name} {plain(value)}" for name, value in values.items()) or "-"
    return str(values).replace("\n", " ")
