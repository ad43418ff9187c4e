"""That a network which cannot see what it is asked about is refused by its setting, before anything loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save

from sluice.flows.compose.tree.fitting import Fitting
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.misfit import Misfit

ENERGY = "picture.energies.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = tmp_path_factory.mktemp("seen")
    cv2.imwrite(str(own / "face.png"), np.full((64, 64, 3), 128, np.uint8))
    (own / "sface.onnx").write_text("weights")
    (own / "bisenet").write_text("weights")
    return own


def misfits(folder: Path, picture: dict[str, Any]) -> dict[str, str]:
    try:
        Fitting(folder)(Job.model_validate({"prompts": ["a"], "picture": picture}))
    except Misfit as error:
        return {".".join(map(str, place)): said for place, said in error.problems}
    return {}


def asking(base: dict[str, Any], energy: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "freedom", "of": {"kind": "guided", "model": base}, "energies": [{"rho": 0.2, **energy}]}


def test_what_can_see_fits(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    judged = {"by": str(untrained / "judges"), "image": "face.png"}
    for kind in ("depth", "parsing", "landmarks", "pose", "style", "content"):
        assert misfits(folder, asking(base, {"kind": kind, **judged})) == {}
    face = {"by": str(untrained / "identity"), "image": "face.png"}
    assert misfits(folder, asking(base, {"kind": "identity", **face})) == {}
    assert misfits(folder, asking(base, {"kind": "text", "text": "a star"})) == {}


@pytest.mark.parametrize(
    ("energy", "at", "said"),
    [
        ({"kind": "depth", "by": "bisenet"}, "by", "judged by a folder of networks such as tabletop/judges"),
        ({"kind": "identity", "by": "sface.onnx", "faces": None}, "faces", "sees a face alone: say what finds it"),
        ({"kind": "identity", "by": "judges"}, "by", "judges is no clip_vision_model, by which an energy of identity"),
        ({"kind": "depth", "by": "identity"}, "by", "identity is no segformer, by which an energy of depth sees"),
        ({"kind": "edges", "by": "judges"}, "by", "is a folder, and edges are drawn by the file of HED's weights"),
    ],
)
def test_what_judges_is_of_its_kind(
    energy: dict[str, Any], at: str, said: str, base: dict[str, Any], untrained: Path, folder: Path
) -> None:
    by = untrained / energy["by"]
    named = {**energy, "image": "face.png", "by": str(by if by.exists() else folder / energy["by"])}
    found = misfits(folder, asking(base, named))
    assert [*found] == [f"{ENERGY}.{at}"]
    assert said in found[f"{ENERGY}.{at}"]


@pytest.mark.parametrize("labels", ['{"0": "height/metres"}', '["depth/metres"]'])
def test_judges_are_asked_about_what_they_have_labels_for(
    labels: str, base: dict[str, Any], untrained: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(untrained / "judges", tmp_path / "judges")
    config = tmp_path / "judges" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "id2label": json.loads(labels)}))
    energy = {"kind": "depth", "by": str(tmp_path / "judges"), "image": "face.png"}
    found = misfits(folder, asking(base, energy))
    assert "has no labels depth/..., which an energy of depth reads" in found[f"{ENERGY}.by"]
    config.unlink()
    assert "there is no" in misfits(folder, asking(base, energy))[f"{ENERGY}.by"]


def test_a_base_without_clip_sees_no_pictures(
    base: dict[str, Any], untrained: Path, fusers: Path, folder: Path, tmp_path: Path
) -> None:
    blind = tmp_path / "blind"
    shutil.copytree(untrained, blind, ignore=shutil.ignore_patterns("image_encoder"))
    own = {**base, "model": str(blind)}
    said = f"{blind} has no image_encoder/, CLIP's, which sees pictures: name a base with one, as tabletop is"
    assert misfits(folder, asking(own, {"kind": "text", "text": "a star"})) == {f"{ENERGY}.text": said}
    mask = {"drawn": {"scene": 7, "law": "two", "field": "mask"}}
    shown = {"fusers": str(fusers), "mask": mask, "exemplars": ["face.png", "face.png"]}
    model = {"kind": "compose_and_conquer", "over": own, **shown}
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": model}}
    assert misfits(folder, picture) == {"picture.of.model.exemplars": said}
    (blind / "image_encoder").mkdir()
    assert misfits(folder, picture) == {"picture.of.model.exemplars": said}
    (blind / "image_encoder" / "config.json").write_text("{")
    asked = asking(own, {"kind": "text", "text": "a star"})
    assert "cannot be read" in misfits(folder, asked)[f"{ENERGY}.text"]
    shutil.rmtree(blind / "image_encoder")
    shutil.copytree(untrained / "judges", blind / "image_encoder")
    assert "/image_encoder is no clip_vision_model" in misfits(folder, picture)["picture.of.model.exemplars"]


def adapter(folder: Path, name: str, keys: int, embedding: int, cut: int | None = None) -> Path:
    """A file of an IP-Adapter's weights, so wide."""
    weights = {
        "image_proj.proj.weight": torch.zeros(4 * keys, embedding),
        "ip_adapter.1.to_k_ip.weight": torch.zeros(8, keys),
    }
    data = save(weights)
    (folder / name).write_bytes(data[:cut])
    return folder / name


@pytest.mark.parametrize(
    ("keys", "embedding", "cut", "said"),
    [
        (0, 0, None, ""),
        (1, 0, None, "wide where its base attends to texts of"),
        (0, 1, None, "wide where its base sees embeddings of"),
        (0, 0, -8, "is no IP-Adapter in the published format"),
    ],
)
def test_a_reference_is_seen_by_an_ip_adapter_for_its_base(
    keys: int, embedding: int, cut: int | None, said: str, base: dict[str, Any], untrained: Path, folder: Path
) -> None:
    configs = (json.loads((untrained / part / "config.json").read_text()) for part in ("unet", "image_encoder"))
    text, seen = (own[name] for own, name in zip(configs, ("cross_attention_dim", "projection_dim"), strict=True))
    network = adapter(folder, "adapter.safetensors", text + keys, seen + embedding, cut)
    model = {"kind": "reference", "over": base, "network": str(network), "image": "face.png"}
    found = misfits(folder, {"kind": "ddim", "of": {"kind": "guided", "model": model}})
    assert [*found] == (["picture.of.model.network"] if said else [])
    assert said in "".join(found.values())


def test_what_is_no_ip_adapter_is_no_reference(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    for network, wrong in ((untrained / "ip_adapter", False), (untrained / "judges", True), (folder / "bisenet", True)):
        model = {"kind": "reference", "over": base, "network": str(network), "image": "face.png"}
        found = misfits(folder, {"kind": "ddim", "of": {"kind": "guided", "model": model}})
        assert [*found] == ["picture.of.model.network"] * wrong
