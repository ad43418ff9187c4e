"""ControlNets to train: what they read of a record, how they begin, and what a step makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.record import Record
from sluice.training.data import Sample
from sluice.training.examples import image
from sluice.training.methods.compose_and_conquer import ComposeAndConquer
from sluice.training.methods.control import ControlTraining
from sluice.training.methods.method import Batch, Method, OtherNetwork, batch_of
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe
from tests.small_unet import small_model

CACHED = {"latent.npy", "text.npy", "json"}


def model_of(widths: tuple[int, int] = (8, 16)) -> LatentModel:
    return small_model(_Frozen, widths=widths)


class _Frozen(LatentModel):
    """Without a text encoder: captions come with their states."""

    def states(self, prompts: Any) -> torch.Tensor:
        return torch.zeros(len(prompts), 5, 6)


def recipe(method: str, **values: Any) -> Recipe:
    plain = {"size": 32, "steps": 2, "batch": 2, "micro_batch": 2, "learning_rate": 1e-3, "drop_text": 0.0}
    return Recipe.model_validate({"method": method, **plain, **values})


def records() -> list[Record]:
    rng = np.random.default_rng(0)
    grey, depths = (
        (lambda kind: rng.integers(0, np.iinfo(kind).max, (32, 32)).astype(kind)),
        ("depth", "fg_depth", "bg_depth"),
    )
    return [
        Record(
            f"{number:016x}",
            values={
                "latent.npy": rng.normal(size=(2, 4, 8, 8)).astype(np.float16),
                "text.npy": rng.normal(size=(5, 6)).astype(np.float16),
                "segments.png": np.repeat(np.arange(4, dtype=np.uint16), 256).reshape(32, 32),
                "canny.png": grey(np.uint8),
                "mask.png": (grey(np.uint8) > 99).astype(np.uint8) * 255,
                "clip.npy": rng.normal(size=6).astype(np.float16),
                "bg_clip.npy": rng.normal(size=6).astype(np.float16),
                **{f"{name}.png": grey(np.uint16) for name in depths},
            },
        )
        for number in range(2)
    ]


def batch(method: Method, positions: tuple[int, int] = (0, 1)) -> Batch:
    samples = [Sample(record, 0, position) for record, position in zip(records(), positions, strict=True)]
    return batch_of(method, samples, 0, method.model.unet)


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
    assert float(losses["conservativity"]) > 0
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
    fusers = ComposeAndConquer(recipe("cnc-local"), model_of((8, 8)), CACHED)
    fusers.save(fusers.network(), tmp_path / "fusers")
    with pytest.raises(OtherNetwork, match="was made for a U-Net"):
        ComposeAndConquer(recipe("cnc-local"), model_of(), CACHED, tmp_path / "fusers").network()


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


def test_a_folder_to_begin_from_that_lacks_a_fuser_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lokal").mkdir()
    (tmp_path / "global").mkdir()
    with pytest.raises(ModelFolderError, match=r"has no local/"):
        ComposeAndConquer(recipe("cnc-joint"), model_of(), CACHED, tmp_path)


def test_without_triplets_both_streams_see_the_whole_image() -> None:
    training = ComposeAndConquer(recipe("cnc-local", triplets=False), model_of(), CACHED)
    assert training.fields == {"latent.npy", "text.npy", "mask.png", "depth.png"}
    record = records()[0]
    shown = training.example(record, 0)
    whole = image(record, "depth.png", training.recipe.size)
    assert torch.equal(shown["fg image"], whole)
    assert torch.equal(shown["bg image"], whole)
    edges = ComposeAndConquer(recipe("cnc-local", triplets=False, images="canny"), model_of(), CACHED)
    assert "canny.png" in edges.fields


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("cnc-local", {"mask.png", "fg_depth.png", "bg_depth.png"}),
        ("cnc-global", {"mask.png", "clip.npy", "bg_clip.npy"}),
        ("cnc-joint", {"mask.png", "fg_depth.png", "bg_depth.png", "clip.npy", "bg_clip.npy"}),
    ],
)
def test_the_fusers_read_what_they_need_and_learn(method: str, fields: set[str]) -> None:
    training = ComposeAndConquer(recipe(method, drop_conditions=0.1), model_of(), CACHED)
    assert training.fields == {"latent.npy", "text.npy"} | fields
    network = training.network()
    training.losses(network, batch(training))["loss"].backward()
    learning = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert learning == {"cnc-local": {"local"}, "cnc-global": {"wide"}, "cnc-joint": {"local", "wide"}}[method]


@pytest.mark.parametrize("method", ["cnc-local", "cnc-global", "cnc-joint"])
def test_the_fusers_activations_are_made_again_too(method: str) -> None:
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        training = ComposeAndConquer(recipe(method, gradient_checkpointing=again), model_of(), CACHED)
        network, calls = training.network(), []
        training.model.unet.up_blocks[-1].resnets[-1].register_forward_pre_hook(lambda *_, noted=calls: noted.append(1))
        training.losses(network, batch(training))["loss"].backward()
        found.append((len(calls), [own.grad for own in network.parameters() if own.grad is not None]))
    (once, held), (twice, remade) = found
    assert twice > once
    assert len(held) == len(remade)
    assert all(torch.equal(*pair) for pair in zip(held, remade, strict=True))


@pytest.mark.parametrize("method", ["cnc-local", "cnc-global", "cnc-joint"])
def test_the_fusers_gradient_is_that_of_differences(method: str) -> None:
    torch.manual_seed(0)
    model = model_of()
    model.unet.double()
    training = ComposeAndConquer(recipe(method), model, CACHED)
    network = training.network().double().eval()  # dropout would draw anew
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    own = batch(training)
    training.losses(network, own)["loss"].backward()
    learned = [parameter for parameter in network.parameters() if parameter.grad is not None]
    slope = float(torch.stack([parameter.grad.square().sum() for parameter in learned]).sum().sqrt())

    @torch.no_grad()
    def loss(size: float) -> float:
        """The loss so far along the gradient, where float32's last digits of it are small beside what it changes by."""
        moves = [size / slope * parameter.grad for parameter in learned]
        torch._foreach_add_(learned, moves)
        found = float(training.losses(network, own)["noise"])
        torch._foreach_sub_(learned, moves)
        return found

    assert slope == pytest.approx((loss(0.01) - loss(-0.01)) / 0.02, rel=1e-3)


def test_conditions_are_dropped_each_by_itself_and_the_mask_never() -> None:
    training = ComposeAndConquer(recipe("cnc-joint", drop_conditions=0.5), model_of(), CACHED)
    seen: dict[str, list[bool]] = {}
    for position in range(0, 60, 2):
        own = batch(training, (position, position + 1))
        for name in own.tensors:
            if name.startswith(("fg", "bg")):
                kept = training._kept(own, name)
                seen.setdefault(name, []).extend(bool(value.any()) for value in kept)
    assert len(seen) == 4
    assert all(0.3 < sum(kept) / len(kept) < 0.7 for kept in seen.values())
    assert len({tuple(kept) for kept in seen.values()}) == 4
