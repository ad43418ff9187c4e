"""Written-out operations against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sluice.training.written_out import attention, differentiable_twice, layer_norm


@pytest.mark.parametrize("masked", ["not", "hidden", "added"])
def test_attention_written_out_is_attention(masked: str) -> None:
    query, key, value = torch.randn(3, 2, 4, 5, 6, dtype=torch.float64)
    mask = {"not": None, "hidden": torch.rand(5, 5) > 0.3, "added": torch.randn(5, 5, dtype=torch.float64)}[masked]
    for scale in (None, 0.7):
        wanted = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        torch.testing.assert_close(attention(query, key, value, attn_mask=mask, scale=scale), wanted)
    with pytest.raises(ValueError, match="dropout_p"):
        attention(query, key, value, dropout_p=0.1)


def test_layer_norm_written_out_is_layer_norm() -> None:
    norm = nn.LayerNorm((3, 5), eps=1e-3).double()
    norm.weight.data.uniform_()
    norm.bias.data.uniform_()
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(layer_norm(x, [3, 5], norm.weight, norm.bias, 1e-3), norm(x))
    torch.testing.assert_close(layer_norm(x, [5]), F.layer_norm(x, [5]))


def test_within_it_torchs_own_functions_are_replaced() -> None:
    x = torch.randn(2, 5)
    with differentiable_twice():
        assert torch.equal(F.layer_norm(x, (5,)), layer_norm(x, [5]))
    assert differentiable_twice.entered == 0
