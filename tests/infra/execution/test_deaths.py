"""What follows the death of a worker, by Ray's errors: what is the unit's own doing, and what is its node's."""

from __future__ import annotations

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, OutOfMemoryError, RayError

from sluice.infra.execution.deaths import LOSSES, after_death
from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit
from tests.infra.execution.test_execute import Numbers

WORK = Numbers.__new__(Numbers)
UNREACHED = ActorUnavailableError("Socket closed", bytes(16))
VANISHED = ObjectLostError("0" * 56, "", "")


@pytest.mark.parametrize("error", [UNREACHED, VANISHED])
def test_a_lost_node_is_not_held_against_a_unit_but_not_for_ever(error: RayError) -> None:
    unit = Unit("depth/0a/32", "depth", [1, 2], deaths=1)
    for _ in range(LOSSES - 1):
        assert after_death(unit, error, WORK) == [unit]
    assert (unit.deaths, unit.payload, unit.cornered) == (1, [1, 2], False)
    with pytest.raises(ExecutionError, match=r"depth/0a/32 was on 10 nodes.*What is done is kept: look at the nodes"):
        after_death(unit, error, WORK)


@pytest.mark.parametrize("error", [ActorDiedError(), OutOfMemoryError("the node is low on memory")])
def test_a_worker_that_dies_alone_is_its_units_doing(error: RayError) -> None:
    unit = Unit("depth/0a", "depth", [1, 2, 3, 4])
    assert after_death(unit, error, WORK) == [unit]
    first, second, whole = after_death(unit, error, WORK)
    assert (first.payload, second.payload) == ([1, 2], [3, 4])
    assert whole is unit
    assert unit.needs == {"depth/0aa", "depth/0ab"} == {first.name, second.name}
    assert (unit.losses, unit.cornered) == (0, True)


def test_one_alone_is_marked_after_the_second_death() -> None:
    unit = Unit("depth/0a", "depth", [13])
    for _ in range(2):
        assert after_death(unit, ActorDiedError(), WORK) == [unit]
    assert unit.payload == ["marked 13"]
