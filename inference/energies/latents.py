"""Energies of pictures as energies of latents, through a decoder."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.energies.energy import Energy
from sluice.training.networks.latent_model import LatentModel


def of_latents(model: LatentModel, energy: Energy) -> Energy:
    """An energy of the latents of a model, which decodes them where it wants pixels; gradients flow through."""
    if energy.wants == "latents":
        return energy

    def decoded(latents: Tensor) -> Tensor:
        return energy(model.vae.decode(latents / model.vae.config.scaling_factor).sample)

    return Energy(decoded, energy.highest, "latents", decoded=True)
