from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from sluice.flows.evaluate.cases import CONTROLS
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, MICONTROLNET, REBALANCED, Networks
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser


@pytest.fixture(scope="session")
def networks(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """Control networks that act, and all differently."""
    folder = tmp_path_factory.mktemp("networks")
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet", dtype=torch.float32)
    torch.manual_seed(0)
    for control in CONTROLS:
        for method in (CONTROLNET, REBALANCED, FIRST_STAGE, MICONTROLNET):
            network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32, 96))
            acting(network).save_pretrained(folder / f"{method.network}-{control}" / "model")
    parts = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32, 96))
    acting(parts).save_pretrained(folder / "controlnet-parts" / "model")
    plain = ControlNetModel.from_unet(unet)
    acting(LocalFuser.from_controlnet(plain, scale=4)).save_pretrained(folder / "cnc" / "model" / "local")
    acting(GlobalFuser(unet.config.cross_attention_dim)).save_pretrained(folder / "cnc" / "model" / "global")
    return Networks(str(folder))


def acting(network: Any) -> Any:
    """With weights that are nowhere 0."""
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network
