"""All five methods nested."""

from __future__ import annotations

from collections.abc import Callable

from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.protocols import nesting


def test_every_condition_has_its_figure_of_every_method(measured: Callable[[str], Results]) -> None:
    found = measured("nesting")
    methods = {own.method for own in found.estimates}
    assert methods == {nesting.NONE, *nesting.ALONE, nesting.NESTED}
    assert {own.figure for own in found.estimates} == set(found.claims[0].verdicts)
    assert len(found.estimates) == 5 * len(methods)
    assert len(found.claims[1].verdicts) == 5 * len(nesting.ALONE)
