"""U-Nets with attention of their own, on the weights of another, which stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sluice.inference.adapters import sharing_weights, with_ip_adapter, with_soft_guidance
from sluice.inference.denoisers import by_picture, by_text
from sluice.training.networks.soft_guidance import SoftGuidance
from tests.small_unet import WIDTH, small_unet

TOKENS = 4


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Of random weights, in the published format."""
    unet = small_unet()
    torch.manual_seed(1)
    projection = torch.nn.Linear(WIDTH, TOKENS * WIDTH)
    tensors = {"image_proj.proj.weight": projection.weight, "image_proj.proj.bias": projection.bias}
    tensors |= {"image_proj.norm.weight": torch.ones(WIDTH), "image_proj.norm.bias": torch.zeros(WIDTH)}
    for number, name in enumerate(unet.attn_processors):
        if "attn2" in name:
            keys = unet.get_submodule(name.removesuffix(".processor")).to_k.weight
            tensors |= {f"ip_adapter.{number}.to_{kind}_ip.weight": torch.randn_like(keys) for kind in "kv"}
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_a_network_of_its_own_has_the_weights_of_another_and_other_attention() -> None:
    unet = small_unet()
    before = {name: type(own) for name, own in unet.attn_processors.items()}
    softly = with_soft_guidance(unet, "hadamard")
    assert all(a is b for a, b in zip(unet.parameters(), softly.parameters(), strict=True))
    assert all(isinstance(own, SoftGuidance) for own in softly.attn_processors.values())
    assert {name: type(own) for name, own in unet.attn_processors.items()} == before
    assert sharing_weights(unet).config == unet.config


@torch.no_grad()
def test_a_picture_is_seen_so_strongly_as_its_scale_and_by_this_network_alone(adapter: Path) -> None:
    unet = small_unet()
    generator = torch.Generator().manual_seed(0)
    x, states = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 5, WIDTH, generator=generator)
    null, embeds = torch.zeros(1, 5, WIDTH), torch.randn(2, WIDTH, generator=generator)
    plain = by_text(unet, states, null)(x, 10)[1]
    by_scale = {
        scale: by_picture(with_ip_adapter(unet, adapter, scale), states, null, embeds)(x, 10)[1]
        for scale in (0, 0.5, 1)
    }
    torch.testing.assert_close(by_scale[0], plain)
    assert not torch.allclose(by_scale[0.5], by_scale[1], atol=1e-4)
    assert not torch.allclose(by_scale[0.5], plain, atol=1e-4)
    assert torch.equal(by_text(unet, states, null)(x, 10)[1], plain)
