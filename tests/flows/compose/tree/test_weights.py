from __future__ import annotations

import pytest

from sluice.flows.compose.tree.weights import found
from sluice.infra.weights.models import MissingWeights, UnknownModel


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tabletop/micontrolnet-cany", "tabletop/micontrolnet-canny"),
        ("tabletop/judge", "tabletop/judges"),
    ],
)
def test_a_misspelt_part_of_tabletop_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownModel, match=f"there is no '{name}'; did you mean '{nearest}'"):
        found(name)


def test_what_does_not_ship_is_told_how_it_is_made() -> None:
    with pytest.raises(MissingWeights, match="make it by `sluice train evidence --only cnc-global`"):
        found("tabletop/cnc-global")
    assert found("tabletop/micontrolnet-canny").path.is_dir()
