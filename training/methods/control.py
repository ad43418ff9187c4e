"""ControlNets, plain ones and those of minimal impact (MIControlNet)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ControlNetModel
from torch import Tensor, nn

from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.record import Record
from sluice.training.balance import with_silent_mask
from sluice.training.conservativity import Predict, by_differences, by_double_backward
from sluice.training.examples import Example, fields_seen, image, seen, speaking
from sluice.training.methods.method import Batch, noised, recomputed, require_made_for
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import Features, balance, features_of, injected
from sluice.training.networks.unet import Encoded, decode, encode
from sluice.training.recipe import Recipe

WIDTHS = (16, 32, 96, 256)
"""Of the layers that bring a control image to the size of latents, the last as often as it is halved."""
MASKED = frozenset({"depth"})
"""Controls without an empty value: a fourth channel says where they speak."""
STEP = 3e-3
"""Of the difference quotients, as a share of a latent's length: on a small U-Net in float32 the gradient is 1.5e-4 off
there, 1.2e-3 at 1e-2 and 3.3e-4 at 1e-3 (double backward: 1.3e-6; in bf16 3.4e-2, and differences at best 1.2e-1)."""


class ControlTraining:
    """A ControlNet of one control, with minimal impact where the recipe's method says so."""

    def __init__(
        self, recipe: Recipe, model: LatentModel, available: Collection[str], begin: Path | None = None
    ) -> None:
        self.recipe, self.model, self.begin = recipe, model, begin
        self.control = f"{recipe.control}.png"
        self.seen = fields_seen(available)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({*self.seen, self.control}) | ({"segments.png"} if self.recipe.rebalanced else set())

    def network(self) -> nn.Module:
        network: Any
        if self.begin is not None:
            network = load_network(ControlNetModel, self.begin, dtype=torch.float32)
            require_made_for(network.config, self.model.unet, self.begin)
        else:
            halvings = self.model.scale.bit_length() - 1
            network = ControlNetModel.from_unet(
                self.model.unet,
                conditioning_channels=4 if self.recipe.control in MASKED else 3,
                conditioning_embedding_out_channels=WIDTHS[: halvings + 1],
            )
        if self.recipe.gradient_checkpointing:
            recomputed(network, self.model.unet)
        trained: nn.Module = network.float().train()  # the frozen U-Net may be in half precision
        return trained

    def example(self, record: Record, epoch: int) -> Example:
        control = image(record, self.control, self.recipe.size)
        speaks = torch.ones_like(control[:1])
        if self.recipe.rebalanced:
            speaks = speaking(record, self.recipe.seed, epoch)
        masked = with_silent_mask(control[None], speaks[None])[0]
        shown = masked if self.recipe.control in MASKED else masked[:3]
        return {**seen(record, self.seen, self.recipe.size), "control": shown}

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        given, control = noised(self.model, self.recipe, batch), batch.tensors["control"]
        if self.recipe.conservativity:
            # DeepSpeed's wrapping takes the products' own backward pass for the step's.
            network = getattr(network, "module", network)
        with torch.no_grad():
            encoded = encode(self.model.unet, given.x, given.t, given.states)
        features = features_of(network, given.x, given.t, given.states, control)
        if self.recipe.method == "controlnet":
            noise = F.mse_loss(decode(self.model.unet, _added(encoded, features)).float(), given.noise)
            return {"loss": noise, "noise": noise}
        held = balance(encoded, [features])
        noise = F.mse_loss(decode(self.model.unet, injected(encoded, [features], held)).float(), given.noise)
        if not self.recipe.conservativity or not torch.is_grad_enabled():
            return {"loss": noise, "noise": noise}

        def predict(x: Tensor) -> Tensor:
            moved = features_of(network, x, given.t, given.states, control)
            return decode(self.model.unet, injected(encoded, [moved], held))

        probe = batch.draws.signs("probe", given.x.shape[1:])
        asym = self._asymmetry(predict, given.x, probe.to(given.x.dtype)).mean()
        return {"loss": noise + self.recipe.conservativity * asym, "noise": noise, "conservativity": asym}

    def _asymmetry(self, predict: Predict, x: Tensor, probe: Tensor) -> Tensor:
        """By differences, which need no second derivative; where these drown, in half precision, by double backward."""
        if x.dtype == torch.float32:
            return by_differences(predict, x, probe, STEP)
        return by_double_backward(predict, x, probe).float()

    def save(self, network: nn.Module, folder: Path) -> None:
        saved: Any = network
        saved.save_pretrained(folder)


def _added(encoded: Encoded, features: Features) -> Encoded:
    """A plain ControlNet's way: the sum."""
    return encoded.with_features(tuple(f + c for f, c in zip(encoded.features, features, strict=True)))
