"""That energies guide a job's pictures, by networks that are loaded once, and are nothing for the image itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.energies import condition_of
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree.energies import JudgedEnergy
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.models import Base


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image and a mask."""
    folder = tmp_path_factory.mktemp("conditions")
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "edges.png"), rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "left.png"), np.repeat([[255] * 32 + [0] * 32], 64, axis=0).astype(np.uint8))
    return folder


def job(picture: dict[str, Any], **more: Any) -> Job:
    return Job.model_validate({"batch": 4, "picture": picture, **more})


def made(of: Job, folder: Path) -> Tensor:
    return Composer(of, folder)(of.prompts, of.seeds)


def test_energies_guide(base: dict[str, Any], conditions: Path) -> None:
    colour = {"kind": "colour", "region": "left.png", "colour": [255, 0, 0], "rho": 1.0}
    text = {"kind": "text", "text": "a red star", "rho": 0.1}
    of = {"kind": "guided", "scale": 1, "model": base}
    one = {"prompts": ["a red star"], "seeds": [0], "steps": 6}
    pictures = {
        how: made(job({**how_to, "of": of}, **one), conditions)
        for how, how_to in {
            "freedom": {"kind": "freedom", "energies": [colour]},
            "exact": {"kind": "zmagic", "energies": [colour, text]},
            "differences": {"kind": "zmagic", "energies": [colour, text], "curvature": "finite_difference"},
        }.items()
    }
    plain = made(job({"kind": "freedom", "of": of, "energies": [{**colour, "rho": 1e-9}]}, **one), conditions)

    def wrong(shown: Tensor) -> Tensor:
        return (shown[..., :32] - torch.tensor([1.0, -1.0, -1.0])[:, None, None]).square().mean()

    assert wrong(pictures["freedom"]) < 0.9 * wrong(plain)
    assert wrong(pictures["exact"]) < 0.98 * wrong(plain)
    assert (pictures["exact"] - pictures["differences"]).abs().mean() < 0.02


@pytest.mark.parametrize("kind", ["depth", "parsing", "landmarks", "pose", "style", "content", "identity"])
def test_what_a_network_sees_in_an_image_guides(
    kind: str, base: dict[str, Any], conditions: Path, untrained: Path
) -> None:
    by = str(untrained / ("identity" if kind == "identity" else "judges"))
    energy = {"kind": kind, "image": "edges.png", "by": by, "rho": 0.2}
    of = {"kind": "guided", "scale": 1, "model": base}
    one = {"prompts": ["a red star"], "seeds": [0], "steps": 2}
    guided_by = made(job({"kind": "freedom", "of": of, "energies": [energy]}, **one), conditions)
    weakly = made(job({"kind": "freedom", "of": of, "energies": [{**energy, "rho": 1e-9}]}, **one), conditions)
    assert guided_by.isfinite().all()
    assert not torch.allclose(guided_by, weakly, atol=1e-3)


def test_what_judges_is_loaded_once_for_jobs_that_differ(
    base: dict[str, Any], conditions: Path, untrained: Path, tmp_path: Path
) -> None:
    judges = Path(shutil.copytree(untrained / "judges", tmp_path / "judges"))

    def guided_by(rho: float) -> Job:
        energy = {"kind": "depth", "image": "edges.png", "by": str(judges), "rho": rho}
        of = {"kind": "guided", "scale": 1, "model": base}
        return job({"kind": "freedom", "of": of, "energies": [energy]}, prompts=["a red star"], seeds=[0], steps=1)

    composer = Composer(guided_by(0.2), conditions)
    first = composer(["a red star"], [0])
    next(judges.glob("*.safetensors")).unlink()
    assert not torch.equal(composer.of(guided_by(0.4))(["a red star"], [0]), first)


@pytest.mark.parametrize("kind", ["depth", "landmarks", "style", "content"])
def test_the_image_itself_has_no_energy(kind: str, conditions: Path, untrained: Path) -> None:
    parts, along = Parts("cpu"), Base(model=str(untrained))
    model = parts.model(along)
    for judges in ("judges", "latent_judges"):
        of = JudgedEnergy.model_validate(
            {"kind": kind, "image": "edges.png", "by": str(untrained / judges), "rho": 1.0}
        )
        given = Conditions(conditions, 64, "cpu")
        shown = given.image(Path("edges.png")) * 2 - 1
        if judges == "latent_judges":
            energy = condition_of(of, given, parts, along).energy
            assert energy(model.encode(shown)) == pytest.approx(0, abs=1e-4)
        else:
            decoded = model.encode(shown)
            assert condition_of(of, given, parts, along).energy(decoded) > 1e-4, "what it decodes to is another picture"
