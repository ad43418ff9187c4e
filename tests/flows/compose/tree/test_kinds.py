"""Models of every kind as nodes of a job, on the untrained family: what acts, what does not, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from sluice.infra.weights.models import MissingWeights
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser

Make = Callable[..., Tensor]
EXACT = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module")
def by_class(base: dict[str, Any], untrained: Path) -> dict[str, Any]:
    return {"kind": "class", "over": base, "network": str(untrained / "unet_class"), "label": 3}


@pytest.fixture(scope="module")
def pixels(untrained: Path) -> dict[str, Any]:
    return {"kind": "pixels", "model": str(untrained / "unet_face")}


def guided(model: dict[str, Any], scale: float = 3.0, **more: Any) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "scale": scale, "model": model}, **more}


def united(*models: dict[str, Any], weight: float = 2.0) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "unite", "models": [{"model": own, "weight": weight} for own in models]}}


def test_a_class_is_named_or_numbered_and_against_itself_is_no_guidance(make: Make, by_class: dict[str, Any]) -> None:
    third = make(guided(by_class))
    assert torch.equal(third, make(guided({**by_class, "label": list(SHAPES)[3]})))
    assert not torch.allclose(third, make(guided({**by_class, "label": 4})), atol=1e-3)
    itself = {**by_class, "null": 3}
    torch.testing.assert_close(make(guided(itself, 7.0)), make(guided(by_class, 1.0)), **EXACT)


def test_a_class_and_a_text_unite_each_by_its_own_schedule(
    make: Make, base: dict[str, Any], by_class: dict[str, Any]
) -> None:
    torch.testing.assert_close(make(united(by_class, weight=3.0)), make(guided(by_class, 3.0)), **EXACT)
    assert not torch.allclose(make(united(base, by_class)), make(united(base)), atol=1e-3)


def test_boxes_act_where_they_are_in_any_order(
    make: Make, base: dict[str, Any], untrained: Path, tmp_path: Path
) -> None:
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet_boxes", dtype=torch.float32)
    for name, parameter in unet.named_parameters():
        if "alpha" in name:  # the gates, closed at first
            parameter.data.fill_(1.0)
    unet.save_pretrained(tmp_path / "opened")
    left, right = {"phrase": "a cube", "box": [0, 0.4, 0.3, 1]}, {"phrase": "a ball", "box": [0.6, 0.4, 1, 1]}

    def placed(*things: dict[str, Any], network: Path = tmp_path / "opened") -> Tensor:
        return make(guided({"kind": "boxes", "over": base, "network": str(network), "things": things}))

    both = placed(left, right)
    torch.testing.assert_close(placed(right, left), both, **EXACT)
    others = [
        placed(left),
        placed(left, {**right, "phrase": "a mug"}),
        placed(left, {**right, "box": [0.6, 0, 1, 0.4]}),
    ]
    assert all(not torch.allclose(both, other, atol=1e-4) for other in others)


def test_a_reference_acts_by_its_scale_and_leaves_the_base_alone(
    make: Make, base: dict[str, Any], untrained: Path
) -> None:
    plain = make(guided(base))

    def reference(scale: float, image: Any = "0.png") -> Tensor:
        adapter = {"network": str(untrained / "ip_adapter"), "scale": scale, "image": image}
        return make(guided({"kind": "reference", "over": base, **adapter}))

    torch.testing.assert_close(reference(0.0), plain, **EXACT)
    assert not torch.allclose(reference(1.0), plain, atol=1e-4)
    assert not torch.allclose(reference(1.0), reference(1.0, {"drawn": {"scene": 7}}), atol=1e-4)
    assert torch.equal(make(guided(base)), plain)


def test_pixels_are_guided_by_energies_alone(make: Make, pixels: dict[str, Any]) -> None:
    plain = make(guided(pixels))
    assert plain.shape == (1, 3, 64, 64)
    assert torch.equal(make(guided(pixels, 9.0)), plain)
    energy = {"kind": "colour", "region": {"drawn": {"scene": 7, "field": "mask"}}, "colour": [255, 0, 0], "rho": 1.0}
    of = {"kind": "guided", "model": pixels}
    pulled, loose = (make({"kind": "freedom", "of": of, "energies": [{**energy, "rho": rho}]}) for rho in (1.0, 1e-9))
    assert pulled[:, 0].mean() > loose[:, 0].mean()


def test_pixels_united_with_themselves_are_themselves(make: Make, pixels: dict[str, Any]) -> None:
    torch.testing.assert_close(make(united(pixels, pixels)), make(guided(pixels)), **EXACT)


@pytest.fixture(scope="module")
def fused(base: dict[str, Any], untrained: Path, given: Path) -> dict[str, Any]:
    """Compose and Conquer by a local fuser that has learned nothing, which changes nothing."""
    model = LatentModel.load(untrained)
    local = LocalFuser.from_controlnet(ControlNetModel.from_unet(model.unet), model.scale)
    local.save_pretrained(given / "zero" / "local")
    scene = {"scene": 7, "law": "two"}
    depths = [{"drawn": {**scene, "field": field}} for field in ("fg_depth", "bg_depth")]
    node = {"kind": "compose_and_conquer", "over": base, "fusers": str(given / "zero"), "depths": depths}
    return {**node, "mask": {"drawn": {**scene, "field": "mask"}}}


@pytest.mark.parametrize("kind", ["minimal_impact", "multi_controlnet"])
def test_controls_over_fusers_of_nothing_are_controls_over_the_base(
    kind: str, make: Make, base: dict[str, Any], fused: dict[str, Any], given: Path
) -> None:
    controls = [{"network": str(given / "network"), "image": image} for image in ("0.png", "1.png")]

    def controlled(over: dict[str, Any]) -> Tensor:
        return make(guided({"kind": kind, "over": over, "controls": controls}))

    torch.testing.assert_close(controlled(fused), controlled(base), rtol=0, atol=1e-3)
    assert not torch.allclose(controlled(fused), make(guided(fused)), atol=1e-3)


def test_what_does_not_ship_is_named_with_how_to_make_it(make: Make, base: dict[str, Any]) -> None:
    controls = [{"network": "tabletop/micontrolnet-1-depth", "image": "0.png"}]
    said = "does not ship: make it by `sluice train evidence --only micontrolnet-1-depth`"
    with pytest.raises(MissingWeights, match=said):
        make(guided({"kind": "minimal_impact", "over": base, "controls": controls}))
