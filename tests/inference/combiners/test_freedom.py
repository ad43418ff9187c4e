"""That a condition without a finite gradient stops nobody but itself."""

from __future__ import annotations

import torch

from sluice.inference.combiners.freedom import Condition, constant, finite
from sluice.inference.sampler import Moment


def test_what_is_no_number_is_left_out_for_its_sample_alone_and_noted() -> None:
    guidance = torch.ones(3, 2, 2)
    guidance[1, 0, 1] = torch.nan
    condition = Condition(lambda x: x.sum(), constant(1.0))
    at = Moment(t=7, t_prev=3, abar=torch.tensor(0.5), abar_prev=torch.tensor(0.6))
    kept = finite(guidance, condition, at)
    assert torch.equal(kept[[0, 2]], torch.ones(2, 2, 2))
    assert torch.equal(kept[1], torch.zeros(2, 2))
    assert condition.left_out == [(7, 1)]
    assert finite(torch.ones(1, 2), condition, at).sum() == 2
    assert condition.left_out == [(7, 1)]
