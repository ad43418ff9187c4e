"""What combiners add to the networks that they call, at Stable Diffusion's shapes by random weights, and on tabletop.

The networks are called once each. A combiner's own arithmetic is timed alone, on what the networks gave.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from sluice.inference.combiners.amdm import Aggregation, combined, drawn_back
from sluice.inference.combiners.freedom import Condition, freedom_step, relative
from sluice.inference.combiners.unite import United, unite
from sluice.inference.combiners.zmagic import zmagic_step
from sluice.inference.denoisers import guided
from sluice.inference.sampler import moments
from sluice.infra.weights.models import find
from sluice.infra.weights.pretrained import load_network
from sluice.training.balance import combined as added
from sluice.training.networks.minimal_impact import balance, features_of, injected
from sluice.training.networks.soft_guidance import Regions
from sluice.training.networks.unet import Encoded, decode, encode
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

ROUNDS, CALLS = 5, 4
MOST = Goal("<=", 1.03)
TIME = 500
TWO, THREE, STEPS = 2, 3, 50
STABLE_DIFFUSION, TABLETOP = "Stable Diffusion's shapes", "tabletop"


@dataclass(frozen=True)
class Networks:
    """A U-Net and a ControlNet for it, the sides of latents and of images, and the text that they read."""

    unet: Any
    network: Any
    side: int
    pixels: int
    tokens: int

    @property
    def width(self) -> int:
        return int(self.unet.config.cross_attention_dim)


def run() -> list[Result]:
    """Of a step for one picture: both halves of guidance at once."""
    return [
        Result(f"with the combiner / its networks alone, {where}: {name}", ratio, goal, details)
        for where, networks, goal in ((STABLE_DIFFUSION, _random(), MOST), (TABLETOP, _tabletop(), None))
        for name, ratio, details in _ratios(networks)
    ]


def _random() -> Networks:
    unet: Any = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8).eval()
    return Networks(unet, ControlNetModel.from_unet(unet).eval(), 64, 512, 77)


def _tabletop() -> Networks:
    unet = load_network(UNet2DConditionModel, find(TABLETOP).path, subfolder="unet", dtype=torch.float32)
    network = load_network(ControlNetModel, find(f"{TABLETOP}/micontrolnet-canny").path, dtype=torch.float32)
    return Networks(unet, network, 16, 64, 77)


def _ratios(of: Networks) -> list[tuple[str, float, dict[str, Any]]]:
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator)
    x, states = draw(2, 4, of.side, of.side), draw(2, of.tokens, of.width)
    with torch.inference_mode():
        encoded, encoding = _timed(lambda: encode(of.unet, x, TIME, states))
        seen = torch.rand(2, 3, of.pixels, of.pixels)
        features, control = _timed(lambda: features_of(of.network, x, TIME, states, seen))
        predicted, decoding = _timed(lambda: decode(of.unet, encoded))
        features = tuple(torch.randn_like(own) for own in features)  # as it begins, its own are 0
        mask = draw(1, 1, of.pixels, of.pixels)
    latent, whole = draw(1, 4, of.side, of.side), encoding + decoding
    combiners: dict[str, tuple[float, Callable[[], Any]]] = {
        "guidance of one model": (whole, lambda: guided(_ready(predicted), 5.0)(x[:1], TIME)),
        "Unite of two": (TWO * whole, lambda: unite([United(_ready(predicted))] * TWO)(x[:1], TIME)),
        "AMDM of two": (TWO * whole, lambda: _drawn_together([x[:1], predicted[:1]])),
        "sum of two controls": (whole + TWO * control, lambda: _summed(encoded, [features] * TWO)),
        "minimal impact of two controls": (whole + TWO * control, lambda: _balanced(encoded, features)),
        "soft guidance's masks": (whole, lambda: _masks(mask, of)),
        # The networks are called once, and gone back through, which is not counted.
        "FreeDoM of three conditions": (whole, lambda: _summed_pulls(latent)),
        # Each condition is followed through the network, there and back; only its calls forward are counted.
        "Z-Magic of three conditions": (2 * THREE * whole, lambda: _dependent(latent)),
    }
    own = in_turns({name: _inferred(call) for name, (_, call) in combiners.items()}, ROUNDS, CALLS)
    return [
        (
            name,
            1 + own[name] / networks,
            {"networks, ms": round(1000 * networks, 1), "arithmetic, ms": round(1000 * own[name], 2)},
        )
        for name, (networks, _) in combiners.items()
    ]


def _inferred(call: Callable[[], Any]) -> Callable[[], Any]:
    """Without graphs, but for those that a combiner makes itself."""
    return torch.no_grad()(call)


def _dependent(x: Tensor) -> Tensor:
    path = moments(DDIMScheduler(), STEPS)
    return zmagic_step(_share, _conditions(), path)(x, path[STEPS // 2], x)


def _summed_pulls(x: Tensor) -> Tensor:
    path = moments(DDIMScheduler(), STEPS)
    return freedom_step(_share, _conditions())(x, path[STEPS // 2], x)


def _share(x: Tensor, t: float) -> Tensor:  # noqa: ARG001
    """In place of a model, so that a whole step is timed but for its networks."""
    return 0.1 * x


def _conditions() -> list[Condition]:
    """Energies that are lengths."""
    return [Condition(lambda clean: clean.square().flatten(1).mean(dim=1), relative(0.01)) for _ in range(THREE)]


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


def _masks(mask: Tensor, of: Networks) -> list[Tensor]:
    regions = Regions.of(mask.expand(2, -1, -1, -1), (of.side, of.side), 4)
    return [regions.seen(positions, of.tokens + 8) for positions in regions.inside]
