"""Who sees which tokens, against attention written out in full."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sluice.training.networks.soft_guidance import Kind, Regions, SoftGuidance, exclude, hadamard
from sluice.training.networks.unet import decode, encode
from tests.small_unet import small_unet

TEXT, TOKENS, POSITIONS = 3, 2, 12


def given(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(2, 4, POSITIONS, 5, generator=generator, dtype=torch.float64)
    key, value = torch.randn(2, 2, 4, TEXT + 2 * TOKENS, 5, generator=generator, dtype=torch.float64)
    return query, key, value


def regions() -> Regions:
    mask = torch.zeros(2, 1, 3, 4)
    mask[0, :, :, :2] = 1
    mask[1, :, 1:] = 1
    return Regions.of(mask, (3, 4), TOKENS)


def test_text_is_seen_everywhere_and_each_stream_on_its_side() -> None:
    seen = regions().seen(POSITIONS, TEXT + 2 * TOKENS)
    assert seen.shape == (2, 1, POSITIONS, TEXT + 2 * TOKENS)
    assert seen[..., :TEXT].all()
    foreground, background = seen[..., TEXT : TEXT + TOKENS], seen[..., TEXT + TOKENS :]
    assert torch.equal(foreground, ~background)
    assert foreground[0, 0, :, 0].reshape(3, 4)[:, :2].all()
    assert not foreground[0, 0, :, 0].reshape(3, 4)[:, 2:].any()


@pytest.mark.parametrize("kind", ["exclude", "hadamard"])
def test_attention_is_that_of_the_full_matrix(kind: Kind) -> None:
    query, key, value = given()
    seen = regions().seen(POSITIONS, TEXT + 2 * TOKENS)
    logits = query @ key.mT / 5**0.5
    logits = logits.masked_fill(~seen, -torch.inf) if kind == "exclude" else logits * seen
    found = (exclude if kind == "exclude" else hadamard)(query, key, value, seen, TOKENS)
    torch.testing.assert_close(found, logits.softmax(dim=-1) @ value)


def test_a_hidden_token_of_the_hadamard_kind_still_weighs() -> None:
    query, key, value = given()
    seen = regions().seen(POSITIONS, TEXT + 2 * TOKENS)
    assert not torch.allclose(exclude(query, key, value, seen, TOKENS), hadamard(query, key, value, seen, TOKENS))


@pytest.mark.parametrize("latent", [(8, 8), (7, 9), (16, 4), (2, 2)])
def test_there_are_regions_for_every_resolution_of_a_unet(latent: tuple[int, int]) -> None:
    found = Regions.of(torch.rand(2, 1, 40, 30), latent, 2)
    unet = unet_of()
    for kind in ("exclude", "hadamard"):
        unet.set_attn_processor(SoftGuidance(kind))
        states, x = torch.randn(2, 3 + 4, 6), torch.randn(2, 4, *latent)
        made = decode(unet, encode(unet, x, 10, states, attention={"regions": found}))
        assert made.shape == x.shape


def unet_of() -> Any:
    return small_unet((8, 8, 8), attends="first")


@torch.no_grad()
def test_without_regions_the_processor_is_diffusers_own() -> None:
    unet, states, x = unet_of(), torch.randn(2, 5, 6), torch.randn(2, 4, 8, 8)
    plain = unet(x, 10, states).sample
    unet.set_attn_processor(SoftGuidance())
    torch.testing.assert_close(unet(x, 10, states).sample, plain)


@torch.no_grad()
def test_a_token_reaches_its_own_side_alone() -> None:
    """In one layer; the rest of a network mixes the sides."""
    attention = unet_of().down_blocks[0].attentions[0].transformer_blocks[0].attn2
    attention.set_processor(SoftGuidance())
    hidden, states = torch.randn(2, POSITIONS, 8), torch.randn(2, TEXT + 2 * TOKENS, 6)
    changed = states.clone()
    changed[:, TEXT : TEXT + TOKENS] += 1
    found = regions()
    before, after = (attention(hidden, encoder_hidden_states=s, regions=found) for s in (states, changed))
    moved = (before - after).abs().amax(dim=2) > 0
    assert torch.equal(moved, found.inside[POSITIONS])


@torch.no_grad()
def test_a_mask_of_ones_hides_all_tokens_of_the_background() -> None:
    attention = unet_of().down_blocks[0].attentions[0].transformer_blocks[0].attn2
    attention.set_processor(SoftGuidance("exclude"))
    hidden, states = torch.randn(2, POSITIONS, 8), torch.randn(2, TEXT + 2 * TOKENS, 6)
    changed = states.clone()
    changed[:, TEXT + TOKENS :] += 1
    everywhere = Regions.of(torch.ones(2, 1, 3, 4), (3, 4), TOKENS)
    found = attention(hidden, encoder_hidden_states=states, regions=everywhere)
    assert torch.equal(attention(hidden, encoder_hidden_states=changed, regions=everywhere), found)
    without = attention(hidden, encoder_hidden_states=states[:, : TEXT + TOKENS])
    torch.testing.assert_close(found, without)


@torch.no_grad()
def test_without_guidance_every_token_is_seen_everywhere() -> None:
    attention = unet_of().down_blocks[0].attentions[0].transformer_blocks[0].attn2
    hidden, states = torch.randn(2, POSITIONS, 8), torch.randn(2, TEXT + 2 * TOKENS, 6)
    plain = attention(hidden, encoder_hidden_states=states)
    attention.set_processor(SoftGuidance("none"))
    torch.testing.assert_close(attention(hidden, encoder_hidden_states=states, regions=regions()), plain)


def test_a_mask_of_grey_is_cut_at_a_half() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, 0] = 1  # half of the first of four squares
    mask[..., 0, 2] = 1  # a quarter of the second
    assert Regions.of(mask, (2, 2), 1).inside[4].tolist() == [[True, False, False, False]]


def test_a_mask_for_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="attention has 99"):
        regions().seen(99, 7)
