"""ControlNets to train: what they read of a record, how they begin, and what a step makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sluice.training.methods.control import ControlTraining
from sluice.training.methods.method import OtherNetwork
from tests.training.methods.small import CACHED, batch, model_of, recipe, records


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"control": "canny"}, {"latent.npy", "text.npy", "canny.png"}),
        ({"control": "depth", "rebalanced": True}, {"latent.npy", "text.npy", "depth.png", "segments.png"}),
    ],
)
def test_it_reads_what_it_needs_and_no_more(values: dict[str, Any], fields: set[str]) -> None:
    assert ControlTraining(recipe("micontrolnet", **values), model_of(), CACHED).fields == fields


@pytest.mark.parametrize("control", ["canny", "depth"])
def test_a_rebalanced_control_is_silent_outside_its_segments(control: str) -> None:
    method = ControlTraining(recipe("micontrolnet", control=control, rebalanced=True), model_of(), CACHED)
    shown = [method.example(records()[0], epoch)["control"] for epoch in range(6)]
    assert {len(image) for image in shown} == {4 if control == "depth" else 3}
    silent = [float((image[:3] == 0).all(dim=0).float().mean()) for image in shown]
    assert len(set(silent)) > 2
    if control == "depth":
        assert all(torch.equal(image[:3] * image[3:], image[:3]) for image in shown)


def test_at_first_minimal_impact_is_a_controlnet_that_learns_twenty_times_as_fast() -> None:
    noise, gradients = [], []
    for method in ("controlnet", "micontrolnet"):
        training = ControlTraining(recipe(method, control="canny"), model_of(), CACHED)
        network: Any = training.network()
        losses = training.losses(network, batch(training))
        losses["loss"].backward()
        noise.append(losses["noise"].item())
        gradients.append(network.controlnet_mid_block.weight.grad)
    assert noise[0] == noise[1]
    torch.testing.assert_close(gradients[1], 20 * gradients[0])


def test_a_frozen_model_in_half_precision_stays_so() -> None:
    model = model_of()
    model.unet.bfloat16()
    network: Any = ControlTraining(recipe("micontrolnet", control="canny"), model, CACHED).network()
    assert model.unet.dtype == torch.bfloat16
    assert network.dtype == torch.float32


def test_the_second_stage_weighs_conservativity(tmp_path: Path) -> None:
    first = ControlTraining(recipe("micontrolnet", control="canny"), model_of(), CACHED)
    network = first.network()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    first.save(network, tmp_path)
    second = ControlTraining(recipe("micontrolnet", control="canny", conservativity=0.5), model_of(), CACHED, tmp_path)
    losses = second.losses(second.network(), batch(second))
    assert losses["conservativity"].item() > 0
    torch.testing.assert_close(losses["loss"], losses["noise"] + 0.5 * losses["conservativity"])
    torch.testing.assert_close(losses["noise"], first.losses(network, batch(first))["noise"])


def test_conservativity_is_a_sum_over_the_latents_dimensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 18 has no mean, and 0.01 of one would not be felt."""
    first = ControlTraining(recipe("micontrolnet", control="canny"), model_of(), CACHED)
    first.save(first.network(), tmp_path)
    second = ControlTraining(recipe("micontrolnet", control="canny", conservativity=0.5), model_of(), CACHED, tmp_path)
    monkeypatch.setattr(ControlTraining, "_asymmetry", lambda _, __, x, ___: x.new_full((len(x),), 3.0))
    assert float(second.losses(second.network(), batch(second))["conservativity"]) == 3


def test_a_network_for_another_unet_is_not_begun_with(tmp_path: Path) -> None:
    other = ControlTraining(recipe("controlnet", control="canny"), model_of((8, 8)), CACHED)
    other.save(other.network(), tmp_path / "control")
    with pytest.raises(OtherNetwork, match=r"block_out_channels is \[8, 8\], and the base's is \[8, 16\]"):
        ControlTraining(recipe("controlnet", control="canny"), model_of(), CACHED, tmp_path / "control").network()


@pytest.mark.parametrize("conservativity", [0.0, 0.5])
def test_activations_made_again_give_the_same_gradients(conservativity: float) -> None:
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        values = {"control": "canny", "conservativity": conservativity, "gradient_checkpointing": again}
        method = ControlTraining(recipe("micontrolnet", **values), model_of(), CACHED)
        network: Any = method.network()
        torch.nn.init.normal_(network.controlnet_mid_block.weight, std=0.1)
        calls: list[Any] = []
        for block in (network.down_blocks[0], method.model.unet.up_blocks[0]):
            block.resnets[0].register_forward_pre_hook(lambda *_, noted=calls: noted.append(1))
        method.losses(network, batch(method))["loss"].backward()
        found.append((len(calls), [own.grad for own in network.parameters() if own.grad is not None]))
    (once, held), (twice, remade) = found
    assert twice > once + 1  # in the copy and in the frozen U-Net
    assert len(held) == len(remade)
    assert all(torch.equal(*pair) for pair in zip(held, remade, strict=True))
