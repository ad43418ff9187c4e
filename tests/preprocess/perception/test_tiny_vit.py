from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from sluice.preprocess.perception import sam, tiny_vit
from sluice.preprocess.perception.automatic_masks import encode
from sluice.preprocess.perception.sam_decoder import predict, share
from tests.preprocess.tiny_sam import random_mobile_sam


def test_windows_see_themselves_alone() -> None:
    torch.manual_seed(0)
    block = tiny_vit.WindowBlock(width=8, heads=2, window=4, hidden=16).eval()
    image = torch.randn(1, 8, 10, 10)
    changed = image.clone()
    changed[:, 0, 1, 1] += 5
    with torch.inference_mode():
        moved = (block._attend(changed.permute(0, 2, 3, 1)) != block._attend(image.permute(0, 2, 3, 1))).any(-1)[0]
    assert moved[:4, :4].all()
    assert moved.sum() == 16


def test_attention_is_softmax_of_products_and_distance_biases() -> None:
    torch.manual_seed(0)
    attention = tiny_vit.WindowAttention(width=6, heads=2, window=3)
    attention.attention_biases.data.normal_()
    x = torch.randn(1, 9, 6)
    rows = attention.qkv(attention.norm(x))[0]
    heads = []
    for head in range(2):
        q, k, v = rows[:, 9 * head : 9 * (head + 1)].split(3, dim=1)  # of every head its q, k and v lie together
        logits = q @ k.T / 3**0.5
        for i in range(9):
            for j in range(9):
                away = abs(i // 3 - j // 3) * 3 + abs(i % 3 - j % 3)
                logits[i, j] = logits[i, j] + attention.attention_biases[head, away]
        heads.append(logits.softmax(-1) @ v)
    torch.testing.assert_close(attention(x)[0], attention.proj(torch.cat(heads, 1)))


def test_folding_normalisations_changes_nothing() -> None:
    encoder = random_mobile_sam().image_encoder
    image = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        before = encoder(image)
        encoder.fold()
        after = encoder(image)
    assert before.shape == (1, 32, 8, 8)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in encoder.modules())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_sizes_are_read_from_the_state() -> None:
    encoder = random_mobile_sam().image_encoder
    again = tiny_vit.from_state(encoder.state_dict(), img_size=128)
    assert again.load_state_dict(encoder.state_dict(), strict=True)


@pytest.mark.weights
def test_mobile_sam_knows_a_face(real_weights: Callable[[str], Path]) -> None:
    """A point on the astronaut's face gives a mask that the network itself takes for nearly perfect."""
    network = sam.load(real_weights("mobile-sam"))
    with torch.inference_mode():
        shared = share(network, encode(network, [np.ascontiguousarray(data.astronaut())], 1))
        decoded = predict(network, shared, torch.tensor([[[440.0, 240.0]]], dtype=torch.float64))
    assert decoded.quality.max() > 0.97
