"""Noise that belongs to a record; the inpainter is tested with a small real pipeline in stages/test_background.py."""

from __future__ import annotations

import torch

from sluice.preprocess.perception.diffusion_inpaint import noise_source


def test_noise_is_the_same_on_every_run_and_differs_by_seed_and_key() -> None:
    draws = {(s, k): torch.rand(4, generator=noise_source(s, k)).tolist() for s in (0, 1, 11) for k in ("a", "1a")}
    assert len({tuple(draw) for draw in draws.values()}) == 6
    assert draws[0, "a"] == torch.rand(4, generator=noise_source(0, "a")).tolist()
    assert noise_source(0, "0123456789abcdef").initial_seed() == 3227863075371208702
