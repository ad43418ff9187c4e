"""Unite and Conquer on scenes; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import torch

from sluice.flows.evaluate.cases import shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.protocols import unite
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges


def test_there_is_a_row_for_every_method_and_a_verdict_against_each(measured: Callable[[str], Results]) -> None:
    found = measured("unite")
    assert {own.method for own in found.estimates} == {*unite.BASELINES, unite.TWO_TEXTS, unite.UNITE}
    assert [list(claim.verdicts) for claim in found.claims] == [[f"against {own}" for own in unite.BASELINES]]


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    found = measured("unite-ablations")
    assert len({own.method for own in found.estimates}) == 1 + len(found.claims[0].verdicts) == 5


def test_true_pictures_show_what_both_models_are_told() -> None:
    some = list(islice(unite.pairs(), 24))
    judges = Judges.load(find("tabletop/judges").path)
    both, text, shape = (own.of(shown(some, "image") * 2 - 1, some) for own in unite.figures(judges))
    assert min(text.mean(), shape.mean()) > 0.7
    assert torch.equal(both, text * shape)
    others = some[1:] + some[:1]
    assert unite.figures(judges)[0].of(shown(some, "image") * 2 - 1, others).mean() < 0.2
