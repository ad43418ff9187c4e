"""What a benchmark hands over: a ratio, the goal that it must reach, and all that was measured on the way."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any, Literal

COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le}


@dataclass(frozen=True)
class Goal:
    """What a ratio should be: at least, more than or at most `value`."""

    compare: Literal[">=", ">", "<="]
    value: float

    def reached(self, ratio: float) -> bool:
        return bool(COMPARE[self.compare](ratio, self.value))

    def __str__(self) -> str:
        return f"{self.compare} {self.value:g}"


@dataclass(frozen=True)
class Result:
    """One ratio, as measured now, for a goal or to be known.

    `details` are plain values (JSON), in the order in which they are to be read.
    """

    name: str
    ratio: float
    goal: Goal | None
    details: dict[str, Any] = field(default_factory=dict)
