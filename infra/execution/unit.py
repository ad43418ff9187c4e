"""A unit of work, and what it has been through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Unit:
    """A unit of work: its name, the kind of actor that runs it, what it is given, and the units it waits for.

    `seconds` is how long it took, once it is done.
    """

    name: str
    kind: str
    payload: Any
    needs: set[str] = field(default_factory=set)
    deaths: int = 0
    losses: int = 0
    attempts: int = 0
    seconds: float = 0.0
    cornered: bool = False  # its halves were run, or it is marked: nothing in it is left to blame

    def part(self, side: str, payload: Any, deaths: int) -> Unit:
        """A unit of its kind that runs a part of it."""
        return Unit(f"{self.name}{side}", self.kind, payload, deaths=deaths)

    def about(self) -> dict[str, str]:
        """What a log tells of it apart from the event: its name is a kind, a shard, and what part of it."""
        kind, _, rest = self.name.partition("/")
        shard, _, part = rest.partition("/")
        return {"stage": kind, "shard": shard, **({"part": part} if part else {})}
