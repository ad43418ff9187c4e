"""What is looked at while a network is trained: its loss on records it is not trained on, and pictures it makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.combiners.compose_and_conquer import compose_and_conquer
from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.combiners.multi_controlnet import multi_controlnet
from sluice.inference.controlled import Controlled, decoded, encoder
from sluice.inference.denoisers import Denoiser, by_text, guided, halves
from sluice.inference.sampler import ddim
from sluice.infra.page.blocks import Strip
from sluice.infra.whole import write_whole
from sluice.preprocess.page.pictures import figure
from sluice.training.data import Sample
from sluice.training.methods.method import Batch, Method, batch_of
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe

SHOWN = 8
GUIDANCE, STEPS = 5.0, 25


@dataclass(frozen=True)
class TrainingWatch:
    """Called with the network: its loss on `samples`, whose draws are always the same; `pictures` go to a file."""

    method: Method
    recipe: Recipe
    model: LatentModel
    samples: Sequence[Sample]
    pictures: Path
    first: bool
    """Whether this is the process that writes."""

    def __call__(self, network: nn.Module, step: int) -> Mapping[str, float]:  # noqa: ARG002
        if not self.samples:
            return {}
        total, size = 0.0, self.recipe.micro_batch
        for start in range(0, len(self.samples), size):
            batch = self._batch(self.samples[start : start + size])
            total += float(self.method.losses(network, batch)["noise"]) * len(batch.captions)
        strips = self._strips(network, self._batch(self.samples[:SHOWN]))
        if self.first:
            write_whole(self.pictures, json.dumps([asdict(strip) for strip in strips]))
        return {"validation": total / len(self.samples)}

    def _batch(self, samples: Sequence[Sample]) -> Batch:
        return batch_of(self.method, samples, self.recipe.seed, self.model.unet)

    def _strips(self, network: nn.Module, batch: Batch) -> list[Strip]:
        """The records, what conditions them, and pictures of equal noise with and without it."""
        model, side = self.model, self.recipe.size // self.model.scale
        shape = (len(batch.captions), model.unet.config.in_channels, side, side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(self.recipe.seed)).to(
            model.unet.device, model.unet.dtype
        )
        states = batch.tensors.get("states", None)
        states = model.states(batch.captions) if states is None else states
        denoisers = {
            "made": self._denoiser(network, batch, states),
            "without it": guided(by_text(model.unet, states, model.states([""])), GUIDANCE),
        }
        shown = {
            name: value[:, :3] * 2 - 1 for name, value in batch.tensors.items() if value.dim() == 4 and "image" in name
        }
        if "control" in batch.tensors:
            shown["control"] = batch.tensors["control"][:, :3] * 2 - 1
        made = {name: model.decode(ddim(own, noise, model.scheduler, STEPS)) for name, own in denoisers.items()}
        return [_strip(name, pictures) for name, pictures in (shown | made).items()]

    def _denoiser(self, network: nn.Module, batch: Batch, states: Tensor) -> Denoiser:
        unet, told, tensors = self.model.unet, halves(self.model.states([""]), states), batch.tensors
        if self.recipe.control is None:
            names = [name for name in tensors if name.startswith(("fg", "bg")) or name == "mask"]
            ground = compose_and_conquer(unet, network, told, {name: tensors[name] for name in names})
        else:
            combine: Any = multi_controlnet if self.recipe.method == "controlnet" else minimal_impact
            ground = combine(encoder(unet, told), told, [Controlled(network, tensors["control"])])
        return guided(decoded(unet, ground), GUIDANCE)


def _strip(title: str, pictures: Tensor) -> Strip:
    return Strip([figure("", own) for own in to_bytes(pictures.cpu().float())], title)
