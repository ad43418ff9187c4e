"""What jobs of these tests are made of: a ControlNet that acts, and images for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree.job import Job
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser

Make = Callable[..., Tensor]


@pytest.fixture(scope="session")
def given(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ControlNet, and the images `0.png` to `3.png` for it."""
    folder = tmp_path_factory.mktemp("given")
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet", dtype=torch.float32)
    torch.manual_seed(0)
    network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32, 96))
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    network.save_pretrained(folder / "network")
    for seed in range(4):
        drawn = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{seed}.png"), drawn)
    return folder


@pytest.fixture(scope="session")
def fusers(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fusers that act."""
    folder, model = tmp_path_factory.mktemp("fusers"), LatentModel.load(untrained)
    torch.manual_seed(0)
    local = LocalFuser.from_controlnet(ControlNetModel.from_unet(model.unet), model.scale)
    for fuser, part in ((local, "local"), (GlobalFuser(width=model.unet.config.cross_attention_dim), "global")):
        for parameter in fuser.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        fuser.save_pretrained(folder / part)
    return folder


@pytest.fixture(scope="session")
def base(untrained: Path) -> dict[str, Any]:
    """A model of jobs' trees."""
    return {"kind": "base", "model": str(untrained)}


@pytest.fixture(scope="module")
def make(given: Path) -> Make:
    """Pictures of a job's tree by their seeds; what jobs name is loaded once."""
    parts = Parts("cpu")

    def made(picture: dict[str, Any], seeds: tuple[int, ...] = (0,)) -> Tensor:
        plain = {"prompts": ["a red star"], "seeds": seeds, "steps": 2, "batch": 1, "picture": picture}
        return Composer(Job.model_validate(plain), given, parts=parts)(["a red star"] * len(seeds), seeds)

    return made


@pytest.fixture(scope="session")
def plain(base: dict[str, Any]) -> dict[str, Any]:
    """A job of a base model, two steps long."""
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": base}}
    return {"prompts": ["a red star"], "seeds": [0], "steps": 2, "batch": 2, "picture": picture}


@pytest.fixture(scope="session")
def controlled(base: dict[str, Any], given: Path) -> dict[str, Any]:
    """The same under a control."""
    controls = [{"network": str(given / "network"), "image": "0.png"}]
    model = {"kind": "minimal_impact", "over": base, "controls": controls}
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": model}}
    return {"prompts": ["a red star"], "seeds": [0], "steps": 2, "batch": 2, "picture": picture}
