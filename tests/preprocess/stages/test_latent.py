from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.latent import Latent, LatentParameters

Scene = Callable[..., Record]


@pytest.fixture
def latent(tiny_inpaint: Path) -> Latent:
    stage = Latent(LatentParameters(model=str(tiny_inpaint), batch_size=4))
    stage.open(tiny_inpaint)
    return stage


def test_it_is_mean_and_deviation_without_the_scaling_factor(latent: Latent, tiny_inpaint: Path, scene: Scene) -> None:
    from diffusers import AutoencoderKL

    record = scene(1, 32, 48)
    latent([record])
    vae = AutoencoderKL.from_pretrained(tiny_inpaint / "vae")
    pixels = torch.from_numpy(record["jpg"]).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        posterior = vae.encode(pixels).latent_dist
    stored = record["latent.npy"]
    assert stored.shape == (2, 4, 16, 24)
    np.testing.assert_allclose(stored[0], posterior.mean[0].numpy(), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(stored[1], posterior.std[0].numpy(), rtol=2e-3, atol=1e-3)
    assert check_value(FIELDS["latent.npy"], stored, (32, 48)) is None


def test_neither_neighbours_nor_order_change_a_byte(latent: Latent, scene: Scene) -> None:
    sizes = [(32, 32), (32, 48), (32, 32)]

    def run(*seeds: int) -> list[bytes]:
        records = [scene(seed, *sizes[seed]) for seed in seeds]
        latent(records)
        return [record.encode("latent.npy") for record in records]

    together = run(0, 1, 2)
    assert together == [run(i)[0] for i in range(3)] == run(2, 1, 0)[::-1]


def test_a_size_that_the_autoencoder_cannot_halve_is_an_error_with_the_remedy(latent: Latent, scene: Scene) -> None:
    with pytest.raises(ValueError, match="does not divide the image's 47 x 32 pixels; give the image stage"):
        latent([scene(1, 32, 47)])


def test_a_folder_without_a_vae_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(ModelFolderError, match="with the subfolder `vae`"):
        Latent(LatentParameters(model=str(tiny_clip))).open(tiny_clip)
