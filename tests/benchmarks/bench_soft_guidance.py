"""Soft guidance against plain attention, at Stable Diffusion's largest resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sluice.training.networks.soft_guidance import Regions, exclude, hadamard
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

SIDE, HEADS, WIDTH, TEXT, TOKENS = 64, 8, 40, 77, 4
ROUNDS = 15


@torch.inference_mode()
def run() -> list[Result]:
    """64 x 64 positions that attend to 77 text tokens and eight of the exemplars."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, HEADS, SIDE * SIDE, WIDTH, generator=generator)
    key, value = torch.randn(2, 2, HEADS, TEXT + 2 * TOKENS, WIDTH, generator=generator)
    mask = torch.zeros(2, 1, 512, 512)
    mask[..., 100:400, 150:350] = 1
    regions = Regions.of(mask, (SIDE, SIDE), TOKENS)
    seen = regions.seen(SIDE * SIDE, TEXT + 2 * TOKENS)
    contenders = {
        "plain": lambda: F.scaled_dot_product_attention(query, key, value),
        "exclude": lambda: exclude(query, key, value, seen, TOKENS),
        "hadamard": lambda: hadamard(query, key, value, seen, TOKENS),
    }
    seconds = in_turns(contenders, ROUNDS)
    details = {f"{name}, ms": round(1000 * value, 2) for name, value in seconds.items()}
    return [
        Result(f"attention at 64 x 64: {kind} / plain", seconds[kind] / seconds["plain"], Goal("<=", most), details)
        for kind, most in (("exclude", 1.2), ("hadamard", 2.2))
    ]
