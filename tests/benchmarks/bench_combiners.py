"""What combiners add to the networks that they call, at Stable Diffusion's shapes, by random weights.

The networks are called once each. A combiner's own arithmetic is timed alone, on what the networks gave.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from sluice.inference.combiners.amdm import Aggregation, combined, drawn_back
from sluice.inference.combiners.cagrad import cagrad
from sluice.inference.combiners.unite import United, unite
from sluice.inference.denoisers import guided
from sluice.training.balance import combined as added
from sluice.training.networks.minimal_impact import balance, features_of, injected
from sluice.training.networks.soft_guidance import Regions
from sluice.training.networks.unet import Encoded, decode, encode
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

SIDE, WIDTH, TOKENS = 64, 768, 77
ROUNDS, CALLS = 5, 4
MOST = Goal("<=", 1.03)
TIME = 500
TWO, THREE = 2, 3


@torch.inference_mode()
def run() -> list[Result]:
    """Of a step for one picture: both halves of guidance at once."""
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator)
    x, states = draw(2, 4, SIDE, SIDE), draw(2, TOKENS, WIDTH)
    unet: Any = UNet2DConditionModel(cross_attention_dim=WIDTH, attention_head_dim=8).eval()
    network: Any = ControlNetModel.from_unet(unet).eval()
    encoded, encoding = _timed(lambda: encode(unet, x, TIME, states))
    features, control = _timed(lambda: features_of(network, x, TIME, states, torch.rand(2, 3, 8 * SIDE, 8 * SIDE)))
    predicted, decoding = _timed(lambda: decode(unet, encoded))
    features = tuple(torch.randn_like(own) for own in features)  # its own are 0, as it begins
    whole = encoding + decoding
    of = {
        "guidance of one model": (whole, lambda: guided(_ready(predicted), 5.0)(x[:1], TIME)),
        "Unite of two": (TWO * whole, lambda: unite([United(_ready(predicted))] * TWO)(x[:1], TIME)),
        "AMDM of two": (TWO * whole, lambda: _drawn_together([x[:1], predicted[:1]])),
        "sum of two controls": (whole + TWO * control, lambda: _summed(encoded, [features] * TWO)),
        "minimal impact of two controls": (whole + TWO * control, lambda: _balanced(encoded, features)),
        "soft guidance's masks": (whole, lambda: _masks(draw(1, 1, 8 * SIDE, 8 * SIDE))),
        # Each of six pairs differentiates through the network twice and more; only its calls forward are counted.
        "Z-Magic of three conditions": (2 * THREE * whole, lambda: cagrad([draw(1, 4, SIDE, SIDE) for _ in range(6)])),
    }
    own = in_turns({name: arithmetic for name, (_, arithmetic) in of.items()}, ROUNDS, CALLS)
    return [
        Result(f"with the combiner / its networks alone: {name}", 1 + own[name] / networks, MOST, details)
        for name, (networks, _) in of.items()
        for details in [{"networks, s": round(networks, 2), "arithmetic, ms": round(1000 * own[name], 2)}]
    ]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What the second call gives, and its seconds."""
    call()
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def _ready(predicted: Tensor) -> Callable[[Tensor, float], tuple[Tensor, Tensor]]:
    """A model that has answered."""
    null, own = predicted.chunk(2)
    return lambda x, t: (null, own)  # noqa: ARG005


def _drawn_together(states: list[Tensor]) -> list[Tensor]:
    how = Aggregation()
    together = combined(states, how)
    return [drawn_back(together, own, eta, how.absolute) for own, eta in zip(states, how.etas(TWO), strict=True)]


def _summed(encoded: Encoded, controls: list[tuple[Tensor, ...]]) -> Encoded:
    ones = encoded.features[0].new_ones(len(encoded.features[0]), len(controls))
    layers = zip(encoded.features, zip(*controls, strict=True), strict=True)
    return encoded.with_features(tuple(own + added(several, ones) for own, several in layers))


def _balanced(encoded: Encoded, features: tuple[Tensor, ...]) -> Encoded:
    controls = [features, tuple(own.flip(1) for own in features)]
    return injected(encoded, controls, balance(encoded, controls))


def _masks(mask: Tensor) -> list[Tensor]:
    regions = Regions.of(mask.expand(2, -1, -1, -1), (SIDE, SIDE), 4)
    return [regions.seen(positions, TOKENS + 8) for positions in regions.inside]
