from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.localisation import localisation_similarities, localisation_similarity


def light(pictures: Tensor) -> Tensor:
    """How much red and how much blue there is, black being none."""
    return (pictures[:, ::2] + 1).mean(dim=(2, 3))


RED, BLUE = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def red_on_blue() -> tuple[Tensor, Tensor]:
    mask = torch.zeros(1, 8, 8)
    mask[:, 2:6, 2:6] = 1
    pictures = -torch.ones(1, 3, 8, 8)
    pictures[:, 0] += 2 * mask
    pictures[:, 2] += 2 * (1 - mask)
    return pictures, mask


def test_each_half_is_compared_with_its_own_exemplar() -> None:
    shown, mask = red_on_blue()
    assert localisation_similarity(light, shown, mask, RED, BLUE).tolist() == pytest.approx([1])
    assert localisation_similarity(light, shown, mask, BLUE, RED).tolist() == pytest.approx([0])
    assert localisation_similarity(light, shown, mask, RED, RED).tolist() == pytest.approx([0.5])
    assert localisation_similarities(light, shown, mask, RED, RED).flatten().tolist() == pytest.approx([1, 0])


def test_mixed_sizes_and_nan_are_errors() -> None:
    shown, mask = red_on_blue()
    with pytest.raises(Unmeasurable, match="localisation similarity"):
        localisation_similarity(light, shown, mask[:, 1:], RED, BLUE)
    with pytest.raises(Unmeasurable, match=r"exemplars \(2,\)"):
        localisation_similarity(light, shown, mask, RED.expand(2, -1), BLUE.expand(2, -1))
    with pytest.raises(Unmeasurable, match=r"embeddings \(1, 2\), exemplars \(1, 1\)"):
        localisation_similarity(light, shown, mask, RED[:, :1], BLUE[:, :1])
    with pytest.raises(Unmeasurable, match="embeddings 0 of 1 hold NaN"):
        localisation_similarity(lambda pictures: light(pictures) * torch.nan, shown, mask, RED, BLUE)
    with pytest.raises(Unmeasurable, match="pictures 0 of 1"):
        localisation_similarity(light, shown * torch.nan, mask, RED, BLUE)
