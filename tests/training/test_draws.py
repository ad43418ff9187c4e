from __future__ import annotations

import torch

from sluice.training.draws import Draws

POSITIONS, KEYS = [5, 6, 7], ["a", "b", "c"]


def test_a_sample_draws_the_same_in_any_batch() -> None:
    whole, alone = Draws(0, POSITIONS, KEYS), Draws(0, [6], ["b"])
    assert torch.equal(whole.normal("noise", (2, 3))[1:2], alone.normal("noise", (2, 3)))
    assert torch.equal(whole.uniform("text")[1:2], alone.uniform("text"))
    assert torch.equal(whole.integers("timestep", 1000)[1:2], alone.integers("timestep", 1000))
    assert torch.equal(whole.signs("probe", (4,))[1:2], alone.signs("probe", (4,)))


def test_every_seed_position_key_and_name_draws_something_else() -> None:
    first = Draws(0, [5], ["a"]).normal("noise", (8,))
    others = [
        Draws(1, [5], ["a"]).normal("noise", (8,)),
        Draws(0, [6], ["a"]).normal("noise", (8,)),
        Draws(0, [5], ["b"]).normal("noise", (8,)),
        Draws(0, [5], ["a"]).normal("posterior", (8,)),
    ]
    assert not any(torch.equal(first, other) for other in others)


def test_draws_are_what_they_are_called() -> None:
    many = Draws(0, range(4000), [str(n) for n in range(4000)])
    assert abs(float(many.normal("noise", ()).mean())) < 0.06
    assert float(many.normal("noise", ()).std()) - 1 < 0.04
    steps = many.integers("timestep", 10)
    assert steps.bincount(minlength=10).min() > 300
    assert set(many.signs("probe", ()).tolist()) == {-1.0, 1.0}
