"""Energies of pictures as energies of latents, through a decoder."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sluice.training.networks.latent_model import LatentModel

Energy = Callable[[Tensor], Tensor]
"""Of a batch `(batch, channels, height, width)`, a number each `(batch,)`."""


def of_pictures(model: LatentModel, energy: Energy) -> Energy:
    """An energy of pictures with values -1 to 1, of the latents that a model decodes to them; gradients flow."""

    def of_latents(latents: Tensor) -> Tensor:
        return energy(model.vae.decode(latents / model.vae.config.scaling_factor).sample)

    return of_latents
