"""Fusers to train: what they read of a record, what they begin from, and that a step's gradient is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.training.examples import image
from sluice.training.methods.compose_and_conquer import ComposeAndConquer
from sluice.training.methods.method import OtherNetwork
from tests.training.methods.small import CACHED, batch, model_of, recipe, records


def test_fusers_for_another_unet_are_not_begun_with(tmp_path: Path) -> None:
    fusers = ComposeAndConquer(recipe("cnc-local"), model_of((8, 8)), CACHED)
    fusers.save(fusers.network(), tmp_path / "fusers")
    with pytest.raises(OtherNetwork, match="was made for a U-Net"):
        ComposeAndConquer(recipe("cnc-local"), model_of(), CACHED, tmp_path / "fusers").network()


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


def test_a_controlnet_is_no_begin_of_a_global_fuser(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    ComposeAndConquer(recipe("cnc-joint"), model_of(), CACHED, tmp_path)
    with pytest.raises(ModelFolderError, match="a global one begins from a folder with global/ in it"):
        ComposeAndConquer(recipe("cnc-global"), model_of(), CACHED, tmp_path)
