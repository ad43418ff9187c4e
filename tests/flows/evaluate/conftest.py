from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from rich.console import Console

from sluice.flows.compose.run.runs import Here
from sluice.flows.evaluate.cases import CONTROLS
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.measures import PROTOCOLS
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, MICONTROLNET, REBALANCED, Networks, Sampling
from sluice.flows.evaluate.protocols.fused import JOINT
from sluice.flows.evaluate.protocols.fusers import TRAINED_APART
from sluice.flows.evaluate.results import read
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import Place, evaluate
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
    for name in (JOINT, *(own["local"] for own in TRAINED_APART.values())):
        acting(LocalFuser.from_controlnet(plain, scale=4)).save_pretrained(folder / name / "model" / "local")
    for name in (JOINT, "cnc-global"):
        acting(GlobalFuser(unet.config.cross_attention_dim)).save_pretrained(folder / name / "model" / "global")
    return Networks(str(folder))


@pytest.fixture
def measured(untrained: Path, networks: Networks, tmp_path: Path) -> Callable[[str], Results]:
    """A protocol, measured whole on two scenes by untrained networks in a step; pictures lie in `tmp_path/pictures`."""

    def measure(name: str) -> Results:
        at = Place(str(untrained), networks, tmp_path, tmp_path / "results", Console(quiet=True))
        evaluate([(name, Settings(scenes=2, seeds=1, steps=1))], at)
        assert_budget(name, at)
        return read(tmp_path / "results" / f"{name}.json")

    return measure


@pytest.fixture
def contest(untrained: Path, networks: Networks, tmp_path: Path) -> Contest:
    """Of untrained networks."""
    return Contest(Sampling(str(untrained)), tmp_path, Console(quiet=True), networks)


def assert_budget(name: str, at: Place) -> None:
    """That there are so many pictures as was said, so that no two methods are one; no edges are drawn by HED here."""
    each = PROTOCOLS[name].pictures(at.contest(name, Settings(scenes=2, seeds=1, steps=1), Here()))
    assert len(list((at.pictures / "pictures").glob("*.png"))) == 2 * each


def acting(network: Any) -> Any:
    """With weights that are nowhere 0."""
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network
