"""What several figures see in the same pictures."""

from __future__ import annotations

from typing import Any

import torch

from sluice.flows.evaluate.obeyed import seen_once


def test_the_same_pictures_are_looked_at_once_and_others_anew() -> None:
    looks: list[torch.Tensor] = []

    def see(pictures: torch.Tensor, some: list[Any]) -> int:
        looks.append(pictures)
        return len(looks) + len(some)

    seen, one, alike = seen_once(see), torch.zeros(1), torch.zeros(1)
    assert [seen(own, [0]) for own in (one, one, alike, alike, one)] == [2, 2, 3, 3, 4]
