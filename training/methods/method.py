"""What training asks of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sluice.infra.errors import SluiceError
from sluice.preprocess.record import Record
from sluice.training.data import Sample
from sluice.training.draws import Draws
from sluice.training.examples import Example, latents_of, states_of
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.made_for import other_width
from sluice.training.recipe import Recipe
from sluice.training.written_out import checkpoint


@dataclass(frozen=True)
class Batch:
    """Samples as tensors `(batch, ...)` on a device, their captions, and the draws that are theirs."""

    tensors: Mapping[str, Tensor]
    captions: Sequence[str]
    draws: Draws


class Method(Protocol):
    """A network to train on a frozen model. What else a step depends on is in the batch."""

    model: LatentModel

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a record that it is trained on."""

    def network(self) -> nn.Module:
        """What is trained, as it begins."""

    def example(self, record: Record, epoch: int) -> Example:
        """One record as tensors."""

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`loss`, which is minimised, and what else is worth a line in the log."""

    def save(self, network: nn.Module, folder: Path) -> None:
        """Write it as diffusers reads it."""


class OtherNetwork(SluiceError):
    """A network to begin with was made for another U-Net."""


def require_made_for(config: Mapping[str, Any], unet: Any, begin: Path) -> None:
    """Raises OtherNetwork where a ControlNet's configuration has other widths than the frozen U-Net."""
    other = other_width(config, unet.config)
    if other is not None:
        raise OtherNetwork(f"{begin} {other}: begin with a network for this base, or train on that one's (`base`)")


def recomputed(*networks: Any) -> None:
    """Let networks of diffusers' make their activations again on the way back, through the frozen U-Net too."""
    for network in networks:
        network.enable_gradient_checkpointing(checkpoint)


@dataclass(frozen=True)
class Noised:
    """Latents `x` with `noise` in them, at their timesteps `t`, and the states of their captions."""

    x: Tensor
    noise: Tensor
    t: Tensor
    states: Tensor


def noised(model: LatentModel, recipe: Recipe, batch: Batch) -> Noised:
    """What a step's samples are: posterior, timestep, noise and dropped captions are each sample's own draws."""
    draws, schedule = batch.draws, model.scheduler
    shape = (model.unet.config.in_channels, *[recipe.size // model.scale] * 2)
    clean = latents_of(model, batch.tensors, draws.normal("posterior", shape))
    noise, t = draws.normal("noise", shape), draws.integers("timestep", schedule.config.num_train_timesteps)
    states = states_of(model, batch.tensors, batch.captions, draws.uniform("text") < recipe.drop_text)
    x = schedule.add_noise(clean.float(), noise, t)
    return Noised(x.to(model.unet.dtype), noise, t, states.to(model.unet.dtype))


def batch_of(method: Method, samples: Sequence[Sample], seed: int, like: Any) -> Batch:
    """Samples together, on the device and in the dtype of a network, `like`; posteriors stay float32."""
    examples = [method.example(sample.record, sample.epoch) for sample in samples]
    tensors = {
        name: torch.stack([example[name] for example in examples]).to(
            like.device, torch.float32 if name == "posterior" else like.dtype
        )
        for name in examples[0]
    }
    captions = [sample.record["txt"] if "txt" in method.fields else "" for sample in samples]
    keys = [sample.record.key for sample in samples]
    return Batch(tensors, captions, Draws(seed, [sample.position for sample in samples], keys, like.device))
