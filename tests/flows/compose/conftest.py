"""What jobs of these tests are made of: a ControlNet that acts, and images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel


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
def plain(untrained: Path) -> dict[str, Any]:
    """A job of a base model, two steps long."""
    model = {"kind": "base", "model": str(untrained)}
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": model}}
    return {"prompts": ["a red star"], "seeds": [0], "steps": 2, "batch": 2, "picture": picture}


@pytest.fixture(scope="session")
def controlled(untrained: Path, given: Path) -> dict[str, Any]:
    """The same under a control."""
    over = {"kind": "base", "model": str(untrained)}
    controls = [{"network": str(given / "network"), "image": "0.png"}]
    model = {"kind": "minimal_impact", "over": over, "controls": controls}
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": model}}
    return {"prompts": ["a red star"], "seeds": [0], "steps": 2, "batch": 2, "picture": picture}
