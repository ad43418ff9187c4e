from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from sluice.flows.evaluate.cases import CONTROLS
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, MICONTROLNET, REBALANCED, Networks


@pytest.fixture(scope="session")
def networks(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """Control networks that act, and all differently."""
    folder = tmp_path_factory.mktemp("networks")
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet", dtype=torch.float32)
    torch.manual_seed(0)
    for control in CONTROLS:
        for method in (CONTROLNET, REBALANCED, FIRST_STAGE, MICONTROLNET):
            network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32, 96))
            for parameter in network.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
            network.save_pretrained(folder / f"{method.network}-{control}" / "model")
    return Networks(str(folder))
