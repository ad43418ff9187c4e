"""The fusers of Compose and Conquer: what they do at first, at any size, and when saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from sluice.training.networks.fusers import STREAMS, Fusers
from sluice.training.networks.global_fuser import GlobalFuser, with_tokens
from sluice.training.networks.local_fuser import (
    LEVELS,
    STABLE_DIFFUSION,
    FeatureDenormalisation,
    LocalFuser,
    levels_for,
)
from sluice.training.networks.soft_guidance import SoftGuidance
from sluice.training.networks.unet import decode, encode
from tests.small_unet import small_unet


def unet_of() -> Any:
    return small_unet((8, 8, 16), layers_per_block=2)


def fuser_of(scale: int = 8) -> LocalFuser:
    return LocalFuser.from_controlnet(ControlNetModel.from_unet(unet_of()), scale).eval()


def given(scale: int = 8, height: int = 8, width: int = 8) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x, states = torch.randn(2, 4, height, width), torch.randn(2, 5, 6)
    foreground, background = torch.rand(2, 2, 3, scale * height, scale * width)
    return x, states, foreground, background


@torch.no_grad()
@pytest.mark.parametrize("scale", [4, 8])
@pytest.mark.parametrize("size", [(8, 8), (12, 4), (7, 9)])
def test_its_features_are_those_of_the_unet_and_zero_at_first(scale: int, size: tuple[int, int]) -> None:
    x, states, foreground, background = given(scale, *size)
    wanted = encode(unet_of(), x, 10, states).features
    features = fuser_of(scale)(x, 10, states, foreground, background)
    assert [f.shape for f in features] == [f.shape for f in wanted]
    assert not any(f.any() for f in features)


def test_the_depths_count_after_a_first_step() -> None:
    fuser = fuser_of().train()
    x, states, foreground, background = given()
    optimizer = torch.optim.SGD(fuser.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        sum((f - 1).square().mean() for f in fuser(x, 10, states, foreground, background)).backward()  # type: ignore[union-attr]
        optimizer.step()
    with torch.no_grad():
        one, other = (fuser(x, 10, states, *images) for images in ((foreground, background), (background, foreground)))
    assert torch.equal(one[0], other[0])  # of the first convolution, before any denormalisation
    assert all(not torch.allclose(a, b) for a, b in zip(one[1:], other[1:], strict=True))


@torch.no_grad()
def test_its_clone_is_the_controlnets_but_for_the_norms() -> None:
    controlnet = ControlNetModel.from_unet(unet_of())
    clone = LocalFuser.from_controlnet(controlnet).encoder.state_dict()
    missing = [name for name in clone if name not in controlnet.state_dict()]
    assert all(".norm" in name and (".gamma." in name or ".beta." in name) for name in missing)
    assert len(missing) == 3 * 2 * 4
    for name in clone.keys() - set(missing):
        assert torch.equal(clone[name], controlnet.state_dict()[name]), name


def test_features_are_as_wide_beside_the_clone_as_beside_stable_diffusion() -> None:
    assert levels_for(STABLE_DIFFUSION) == list(LEVELS)
    assert levels_for([64, 64, 1280]) == [40, 32, 384]
    assert [own.out_channels for own in fuser_of().extractors] == levels_for([8, 8, 16])  # type: ignore[union-attr]


@pytest.mark.slow
@torch.no_grad()
def test_both_act_on_stable_diffusions_shapes() -> None:
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).eval()
    local = LocalFuser.from_controlnet(ControlNetModel.from_unet(unet)).eval()
    fusers, mask = Fusers(local, GlobalFuser().eval()), torch.zeros(1, 1, 512, 512)
    mask[..., :256] = 1
    unet.set_attn_processor(SoftGuidance("exclude"))
    local.encoder.set_attn_processor(SoftGuidance("exclude"))
    for parameter in local.encoder.controlnet_down_blocks.parameters():
        parameter.add_(0.01)
    x, states = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 768)
    shown = {f"{stream} image": torch.rand(1, 3, 512, 512) for stream in STREAMS}
    shown |= {f"{stream} embedding": torch.randn(1, 768) for stream in STREAMS}
    told, attention, features = fusers(x, 500, states, mask, shown)
    encoded = encode(unet, x, 500, told, attention=attention)
    assert told.shape == (1, 77 + 8, 768)
    assert features is not None
    added = tuple(f + c for f, c in zip(encoded.features, features, strict=True))
    plain, fused = decode(unet, encoded), decode(unet, encoded.with_features(added))
    assert fused.shape == (1, 4, 64, 64)
    assert not torch.allclose(plain, fused, atol=1e-3)


@torch.no_grad()
def test_denormalisation_is_a_norm_with_an_affine_map_of_its_own_at_every_place() -> None:
    norm = torch.nn.GroupNorm(2, 4)
    module = FeatureDenormalisation(norm, 3)
    x, local = torch.randn(2, 4, 5, 5), torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(module(x, local), norm(x) * (1 + module.gamma(local)) + module.beta(local))


@torch.no_grad()
def test_both_are_saved_and_loaded_as_diffusers_does(tmp_path: Path) -> None:
    local, wide = fuser_of(), GlobalFuser(width=6, tokens=2).eval()
    for parameter in (*local.parameters(), *wide.parameters()):
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    local.save_pretrained(tmp_path / "local")
    wide.save_pretrained(tmp_path / "global")
    x, states, foreground, background = given()
    again = LocalFuser.from_pretrained(tmp_path / "local").eval()
    for one, other in zip(
        local(x, 5, states, foreground, background), again(x, 5, states, foreground, background), strict=True
    ):
        assert one.any()
        assert torch.equal(one, other)
    embeddings = torch.randn(2, 3, 6)
    assert torch.equal(wide(*embeddings), GlobalFuser.from_pretrained(tmp_path / "global").eval()(*embeddings))


@torch.no_grad()
def test_the_streams_of_the_global_fuser_do_not_mix() -> None:
    fuser = GlobalFuser(width=6, tokens=2).eval()
    foreground, background = torch.randn(2, 3, 6)
    tokens = fuser(foreground, background)
    assert tokens.shape == (3, 4, 6)
    other = fuser(foreground, -background)
    assert torch.equal(tokens[:, :2], other[:, :2])
    assert not torch.allclose(tokens[:, 2:], other[:, 2:])
    weighed = fuser(foreground, background, 0.5, 0.0)
    assert torch.equal(weighed[:, :2], tokens[:, :2] / 2)
    assert not weighed[:, 2:].any()


def test_the_global_fuser_of_stable_diffusion_has_47_million_parameters_a_stream() -> None:
    with torch.device("meta"):
        fuser = GlobalFuser()
    assert sum(p.numel() for p in fuser.foreground.parameters()) == pytest.approx(47e6, rel=0.01)
    assert fuser.foreground[1].net[0].proj.out_features == 2 * 3072


def test_what_does_not_belong_together_is_refused() -> None:
    x, states, foreground, background = given()
    fuser = fuser_of()
    with pytest.raises(ValueError, match=r"the background is \(32, 64\); .* to be \(64, 64\)"):
        fuser(x, 10, states, foreground, background[:, :, :32])
    with pytest.raises(ValueError, match="4 or 8 pixels for one latent, not 16"):
        fuser_of(16)
    with pytest.raises(ValueError, match="another text encoder"):
        with_tokens(states, torch.zeros(2, 4, 7))
