"""That jobs guide by networks of photographs, named or in files, and say what is missing or cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.energies import condition_of, energy_of
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree.energies import EdgesEnergy, JudgedEnergy
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.models import Base
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights
from sluice.preprocess.perception.vgg import VGG16
from tests.preprocess.face_files import tiny_bisenet, tiny_landmarks, tiny_sface, tiny_yunet
from tests.preprocess.hed_file import write_hed

STATED = {"identity": "0 to 2, of", "style": "0 or more, of", "edges": "0 to 1, of"}
KINDS = ("identity", "parsing", "landmarks", "style", "content", "edges")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a job says to be judged by each, small and random, and an image with what `tiny_yunet` calls a face."""
    folder = tmp_path_factory.mktemp("networks")
    image = np.random.default_rng(0).integers(0, 120, (64, 64, 3), dtype=np.uint8)
    image[26:32, 26:32] = (255, 0, 0)
    cv2.imwrite(str(folder / "face.png"), image[..., ::-1])
    cv2.imwrite(str(folder / "none.png"), np.zeros((64, 64, 3), np.uint8))
    yunet = str(tiny_yunet(folder / "yunet.onnx"))
    torch.manual_seed(0)
    widths = (3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
    vgg = {f"VGG16_0.Conv_{i}.kernel": 0.3 * torch.randn(3, 3, *widths[i : i + 2]) for i in range(len(VGG16))}
    vgg |= {f"VGG16_0.Conv_{i}.bias": torch.zeros(4) for i in range(len(VGG16))}
    save_file({**vgg, **{f"NetLinLayer_{i}.Conv_0.kernel": torch.ones(1, 1, 4, 1) for i in range(5)}}, folder / "vgg")
    return {
        "folder": folder,
        "identity": {"by": str(tiny_sface(folder / "sface.onnx")), "faces": yunet},
        "landmarks": {"by": str(tiny_landmarks(folder / "landmarks.task")), "faces": yunet},
        "parsing": {"by": str(tiny_bisenet(folder / "bisenet"))},
        "style": {"by": str(folder / "vgg")},
        "content": {"by": str(folder / "vgg")},
        "edges": {"by": str(write_hed(folder / "hed.h5"))},
    }


def node(kind: str, networks: dict[str, Any], **more: Any) -> EdgesEnergy | JudgedEnergy:
    plain = {"kind": kind, "image": "face.png", "rho": 0.2, **networks[kind], **more}
    return (EdgesEnergy if kind == "edges" else JudgedEnergy).model_validate(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_it_wants_pixels_and_gives_latents_a_gradient_along_which_it_falls(
    kind: str, networks: dict[str, Any], untrained: Path
) -> None:
    parts, along, given = Parts("cpu"), Base(model=str(untrained)), Conditions(networks["folder"], 64, "cpu")
    of = node(kind, networks)
    shown = given.image(of.image) * 2 - 1
    energy = energy_of(of, given, parts, along)
    assert energy.wants == "pixels"
    if kind != "parsing":
        assert energy(shown).item() == pytest.approx(0, abs=1e-4)
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    of_latents = condition_of(of, given, parts, along).energy
    before = of_latents(latents)
    (gradient,) = torch.autograd.grad(before.sum(), latents)
    lengths = gradient.flatten(1).norm(dim=1)
    assert (lengths > 0).all()
    after = of_latents(latents.detach() - 0.05 * gradient / lengths[:, None, None, None])
    assert (after < before).all()


def test_several_guide_a_job(networks: dict[str, Any], untrained: Path) -> None:
    def made(rho: float) -> torch.Tensor:
        energies = [node(kind, networks, rho=rho).model_dump() for kind in STATED]
        of = {"kind": "guided", "scale": 1, "model": {"kind": "base", "model": str(untrained)}}
        job = Job.model_validate(
            {"prompts": ["a face"], "steps": 1, "picture": {"kind": "freedom", "of": of, "energies": energies}}
        )
        composer = Composer(job, networks["folder"])
        picture = composer(["a face"], [0])
        assert not any(composer.left_out.values())
        assert composer.energies == [f"{kind}: {said} decoded latents" for kind, said in STATED.items()]
        return picture

    assert not torch.allclose(made(0.2), made(1e-9), atol=1e-3)


def test_a_face_may_be_of_any_size(networks: dict[str, Any], untrained: Path) -> None:
    image = cv2.imread(str(networks["folder"] / "face.png"))
    cv2.imwrite(str(networks["folder"] / "large.png"), cv2.resize(image, (256, 256), interpolation=cv2.INTER_NEAREST))
    given, along = Conditions(networks["folder"], 64, "cpu"), Base(model=str(untrained))
    pictures = given.image(Path("face.png")) * 2 - 1
    energy = energy_of(node("identity", networks, image="large.png"), given, Parts("cpu"), along)
    assert energy(pictures).item() < 0.1 * energy(pictures.flip(1)).item()


def test_names_of_networks_of_faces_bring_their_finder() -> None:
    plain = {"kind": "identity", "image": "face.png", "rho": 1}
    assert JudgedEnergy.model_validate({**plain, "by": "sface"}).faces == "yunet"
    assert JudgedEnergy.model_validate({**plain, "by": "sface", "faces": "my.onnx"}).faces == "my.onnx"
    assert JudgedEnergy.model_validate(plain).faces is None


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("identity", {"image": "none.png"}, "yunet.onnx finds no face in none.png, which an energy of identity"),
        ("landmarks", {"image": "none.png"}, "finds no face in none.png"),
        ("style", {"image": "nowhere.png"}, "nowhere.png, a condition of the job, is not there"),
    ],
)
def test_what_cannot_be_is_named(
    kind: str, more: dict[str, Any], said: str, networks: dict[str, Any], untrained: Path
) -> None:
    given = Conditions(networks["folder"], 64, "cpu")
    with pytest.raises(ConfigError, match=said):
        energy_of(node(kind, networks, **more), given, Parts("cpu"), Base(model=str(untrained)))


@pytest.mark.parametrize("kind", ["identity", "landmarks"])
def test_of_a_batch_the_image_without_a_face_is_named(kind: str, networks: dict[str, Any], untrained: Path) -> None:
    given = Conditions(networks["folder"], 64, "cpu")
    given.instead = {"condition 0": ("face.png", "none.png")}
    with pytest.raises(ConfigError, match=r"finds no face in none\.png"):
        energy_of(node(kind, networks, image="condition 0"), given, Parts("cpu"), Base(model=str(untrained)))


def test_weights_that_are_not_here_say_how_to_get_them(
    networks: dict[str, Any], untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path))
    given = Conditions(networks["folder"], 64, "cpu")
    for kind, by in (("parsing", "face-parsing"), ("edges", "hed"), ("identity", "sface")):
        with pytest.raises(MissingWeights, match=f"Get them with `sluice models pull {by}`"):
            energy_of(node(kind, networks, by=by), given, Parts("cpu"), Base(model=str(untrained)))
