"""A record as tensors: picture or latent, caption or text states, and what conditions it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sluice.infra.errors import SluiceError
from sluice.preprocess.record import Record
from sluice.preprocess.silence import kept_segments, labels_present, silent_mask
from sluice.training.networks.latent_model import LatentModel

Example = dict[str, Tensor]
"""Tensors of one sample by name."""


class WrongSize(SluiceError):
    """Records of another size than a recipe's."""


def fields_seen(available: Collection[str]) -> tuple[str, str]:
    """The fields that picture and caption are taken from: cached latents and text states where they are there."""
    return (
        "latent.npy" if "latent.npy" in available else "jpg",
        "text.npy" if "text.npy" in available else "txt",
    )


def seen(record: Record, fields: Sequence[str], size: int) -> Example:
    """Picture and caption: `pixels` `(3, height, width)`, -1 to 1, or `posterior` `(2, channels, h, w)`, not scaled.

    Captions, which a tokenizer has yet to see, stay in the record; their states are `states` `(tokens, width)`.
    """
    made: Example = {}
    if "latent.npy" in fields:
        made["posterior"] = torch.from_numpy(record["latent.npy"].astype(np.float32))
    else:
        made["pixels"] = image(record, "jpg", size) * 2 - 1
    if "text.npy" in fields:
        made["states"] = torch.from_numpy(record["text.npy"].astype(np.float32))
    return made


def image(record: Record, field: str, size: int) -> Tensor:
    """A field of pixels as `(3, height, width)`, values 0 to 1. Raises WrongSize."""
    pixels = record[field]
    if pixels.shape[:2] != (size, size):
        raise WrongSize(
            f"record {record.key}: {field} is {pixels.shape[1]} x {pixels.shape[0]} pixels, and the recipe's size is "
            f"{size}: build the data set with `stages.image.size={size}`, or train with `--set size={pixels.shape[0]}`"
        )
    levels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    planes = levels[None].repeat(3, axis=0) if levels.ndim == 2 else levels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


def speaking(record: Record, seed: int, epoch: int) -> Tensor:
    """Where a control speaks in this epoch, `(1, height, width)` of 0 and 1 (MIControlNet, Sec. 4.1)."""
    segments = record["segments.png"]
    kept = kept_segments(labels_present(segments), seed, epoch, record.key)
    return torch.from_numpy(~silent_mask(segments, kept)).float()[None]


def latents_of(model: LatentModel, batch: Mapping[str, Tensor], noise: Tensor) -> Tensor:
    """Latents as the U-Net sees them `(batch, channels, h, w)`, drawn from their posteriors."""
    if "posterior" in batch:
        mean, deviation = (batch["posterior"] * model.vae.config.scaling_factor).unbind(1)
    else:
        mean, deviation = model.posterior(batch["pixels"])
    latents: Tensor = mean + deviation * noise
    return latents


def states_of(model: LatentModel, batch: Mapping[str, Tensor], captions: Sequence[str], dropped: Tensor) -> Tensor:
    """Text states `(batch, tokens, width)`, those of the null condition where `dropped` `(batch,)`."""
    told = batch["states"] if "states" in batch else model.states(captions)
    return torch.where(dropped[:, None, None], model.states([""]).to(told), told)
