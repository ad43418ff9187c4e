"""That methods nest: identities of AMDM, Unite and time travel where their parts are composed themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

Make = Callable[..., Tensor]
EXACT = {"rtol": 0, "atol": 1e-4}
SCENE = {"scene": 7, "law": "two"}
LEFT = {"drawn": {**SCENE, "field": "mask"}}


def guided(model: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "scale": 3.0, "model": model}, **more}


@pytest.fixture(scope="module")
def zmagic(base: dict[str, Any], given: Path) -> dict[str, Any]:
    """Around controls, with noise of its own."""
    controls = [{"network": str(given / "network"), "image": image} for image in ("0.png", "1.png")]
    energies = [{"kind": "colour", "region": LEFT, "colour": [255, 0, 0], "rho": rho} for rho in (1.0, 0.5)]
    model = {"kind": "minimal_impact", "over": base, "controls": controls}
    of = {"kind": "guided", "scale": 3.0, "model": model}
    return {"kind": "zmagic", "of": of, "energies": energies, "curvature": "finite_difference"}


@pytest.fixture(scope="module")
def fused(base: dict[str, Any], fusers: Path) -> dict[str, Any]:
    """Compose and Conquer by fusers that act."""
    depths = [{"drawn": {**SCENE, "field": field}} for field in ("fg_depth", "bg_depth")]
    exemplars = {"mask": LEFT, "depths": depths, "exemplars": ["0.png", "1.png"]}
    return {"kind": "compose_and_conquer", "over": base, "fusers": str(fusers), **exemplars}


def test_amdm_over_zmagic_around_controls_and_over_fusers_is_one_job(
    make: Make, zmagic: dict[str, Any], fused: dict[str, Any]
) -> None:
    members = [zmagic, guided(fused)]
    apart = make({"kind": "amdm", "together": 0, "of": members})
    torch.testing.assert_close(apart, make(zmagic), **EXACT)
    whole = make({"kind": "amdm", "together": 1, "of": members}, (0, 1))
    assert not torch.allclose(whole[:1], apart, atol=1e-3)
    alone = make({"kind": "amdm", "together": 1, "of": members}, (1,))
    torch.testing.assert_close(alone, whole[1:], rtol=0, atol=5e-3)  # differences divide rounding by their step


def test_amdms_options_are_the_functions(make: Make, base: dict[str, Any]) -> None:
    other = {**base, "prompt": "a green mug"}

    def aggregated(**more: Any) -> Tensor:
        return make({"kind": "amdm", "together": 2, "of": [guided(base), guided(other)], **more})

    plain = make(guided(base))
    torch.testing.assert_close(aggregated(eta=[1, 1]), plain, **EXACT)
    torch.testing.assert_close(aggregated(eta_absolute=[99, 99]), plain, **EXACT)
    shared, independent = aggregated(), aggregated(start="independent")
    assert not torch.allclose(shared, plain, atol=1e-3)
    assert not torch.allclose(shared, independent, atol=1e-2)
    assert torch.equal(independent, aggregated(start="independent"))
    torch.testing.assert_close(aggregated(start="independent", eta=[1, 1]), plain, **EXACT)


def test_fusers_of_one_base_keep_their_own_attention(make: Make, fused: dict[str, Any]) -> None:
    """In either order: of two on one U-Net's processors the last would rule."""
    models = [{**fused, "guidance": kind} for kind in ("exclude", "hadamard")]

    def united(*some: dict[str, Any]) -> Tensor:
        return make({"kind": "ddim", "of": {"kind": "unite", "models": [{"model": own, "weight": 2} for own in some]}})

    both = united(*models)
    torch.testing.assert_close(united(*models[::-1]), both, **EXACT)
    assert not torch.allclose(both, united(models[0], models[0]), atol=1e-5)
    assert not torch.allclose(both, united(models[1], models[1]), atol=1e-5)


def test_of_united_models_a_control_is_no_part_of_the_null_prediction(
    make: Make, base: dict[str, Any], controlled: dict[str, Any]
) -> None:
    """Of one base, then, whichever model is relied on for it."""

    def united(controls: float, text: float) -> Tensor:
        models = [
            {"model": controlled["picture"]["of"]["model"], "weight": 2, "reliability": controls},
            {"model": base, "reliability": text},
        ]
        return make({"kind": "ddim", "of": {"kind": "unite", "models": models}})

    torch.testing.assert_close(united(1, 0), united(0, 1), **EXACT)


def test_steps_are_repeated_between_two_timesteps(make: Make, base: dict[str, Any]) -> None:
    plain = make(guided(base))
    assert torch.equal(make(guided(base, repeats={"times": 1})), plain)
    assert torch.equal(make(guided(base, repeats={"times": 3, "between": [400, 300]})), plain), "no step begins there"
    again = make(guided(base, repeats={"times": 2, "between": [999, 400]}), (0, 1))
    assert not torch.allclose(again[:1], plain, atol=1e-3)
    torch.testing.assert_close(
        make(guided(base, repeats={"times": 2, "between": [999, 400]}), (1,)), again[1:], **EXACT
    )
