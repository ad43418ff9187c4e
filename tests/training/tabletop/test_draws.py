"""That draws hang on seed, step and name alone."""

from __future__ import annotations

import torch

from sluice.training.tabletop.draws import Draws

CPU = torch.device("cpu")


def test_draws_repeat_and_differ_by_seed_step_and_name() -> None:
    first = Draws(0, 5, CPU).normal("noise", (4, 3))
    assert torch.equal(first, Draws(0, 5, CPU).normal("noise", (4, 3)))
    for other in (Draws(1, 5, CPU).normal("noise", (4, 3)), Draws(0, 6, CPU).normal("noise", (4, 3)),
                  Draws(0, 5, CPU).normal("another", (4, 3))):  # fmt: skip
        assert not torch.equal(first, other)


def test_their_laws() -> None:
    draws = Draws(0, 0, CPU)
    normal, uniform = draws.normal("n", (20_000,)), draws.uniform("u", (20_000,))
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    assert set(draws.integers("i", 3, (200,)).tolist()) == {0, 1, 2}
