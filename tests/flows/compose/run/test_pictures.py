"""That a job's pictures are what its combiners say, the same in any batch and when made again."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.compose.bound import energies
from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run import flow
from sluice.flows.compose.run.flow import ChangedSince, again
from sluice.flows.compose.run.flow import compose as run
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.run.runs import Workers
from sluice.flows.compose.tree.job import Job
from sluice.inference.energies.energy import Energy
from tests.flows.runs import SLUICE

CONSOLE = Console(quiet=True)
TWO = Workers(2)
PLAIN: dict[str, Any] = {"prompts": ["a red star", "a blue cube"], "seeds": [0, 1], "steps": 3, "batch": 4}


@pytest.fixture(scope="module")
def conditions(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ControlNet that acts, its image, and a mask."""
    folder = tmp_path_factory.mktemp("conditions")
    shutil.copytree(given / "network", folder / "network")
    rng = np.random.default_rng(0)
    for name in ("edges", "others"):
        cv2.imwrite(str(folder / f"{name}.png"), rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "left.png"), np.repeat([[255] * 32 + [0] * 32], 64, axis=0).astype(np.uint8))
    cv2.imwrite(str(folder / "empty.png"), np.zeros((64, 64), np.uint8))
    cv2.imwrite(str(folder / "small.png"), np.zeros((32, 64), np.uint8))
    return folder


def job(picture: dict[str, Any], **more: Any) -> Job:
    return Job.model_validate({**PLAIN, "picture": picture, **more})


def guided(model: dict[str, Any], scale: float = 5.0) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "scale": scale, "model": model}}


def made(of: Job, folder: Path = Path()) -> Tensor:
    prompts = [prompt for prompt in of.prompts for _ in of.seeds]
    return Composer(of, folder)(prompts, list(of.seeds) * len(of.prompts))


def compose(of: Job, folder: Path, out: Path, console: Console = CONSOLE) -> list[Path]:
    return [out / f"{name}.png" for name in run(of, folder, out, console).made]


def test_a_picture_belongs_to_its_prompt_and_seed(base: dict[str, Any]) -> None:
    pictures = made(job(guided(base)))
    assert pictures.shape == (4, 3, 64, 64)
    assert len({tuple(picture.flatten()[:50].tolist()) for picture in pictures}) == 4
    (alone,) = made(job(guided(base), prompts=["a blue cube"], seeds=[1]))
    torch.testing.assert_close(alone, pictures[3], rtol=0, atol=1e-4)


def test_uniting_equal_models_is_guidance(base: dict[str, Any]) -> None:
    models = [{"model": base, "weight": 2, "reliability": 0.5}, {"model": base, "weight": 3}]
    united = made(job({"kind": "ddim", "of": {"kind": "unite", "models": models}}))
    torch.testing.assert_close(united, made(job(guided(base, 5.0))), rtol=0, atol=1e-4)


def test_no_step_together_is_the_first_model(base: dict[str, Any]) -> None:
    other = guided({**base, "prompt": "a green mug"})
    alone = made(job(guided(base)))
    apart = made(job({"kind": "amdm", "together": 0, "of": [guided(base), other]}))
    together = made(job({"kind": "amdm", "together": 2, "of": [guided(base), other]}))
    assert torch.equal(alone, apart)
    assert not torch.allclose(alone, together, atol=1e-2)


def test_controls_act_where_they_speak_and_their_order_does_not_matter(base: dict[str, Any], conditions: Path) -> None:
    network = str(conditions / "network")
    one, other = {"network": network, "image": "edges.png"}, {"network": network, "image": "others.png"}

    def controlled(*controls: dict[str, Any]) -> Tensor:
        return made(job(guided({"kind": "minimal_impact", "over": base, "controls": controls})), conditions)

    alone = controlled(one)
    assert not torch.allclose(alone, made(job(guided(base))), atol=1e-3)
    assert not torch.allclose(alone, controlled({**one, "speaks": "left.png"}), atol=1e-3)
    torch.testing.assert_close(controlled(one, other), controlled(other, one), rtol=0, atol=1e-3)
    torch.testing.assert_close(controlled({**one, "strength": 0}), made(job(guided(base))), rtol=0, atol=1e-4)


def test_a_job_goes_on_and_makes_the_same_bytes(base: dict[str, Any], tmp_path: Path) -> None:
    asked = job(guided(base), batch=2)
    first = compose(asked, tmp_path, tmp_path / "out", CONSOLE)
    bytes_of = {path: path.read_bytes() for path in first}
    assert len(bytes_of) == 4
    record = json.loads(first[2].with_suffix(".json").read_text())
    assert (record["job"]["prompts"], record["job"]["seeds"]) == (["a blue cube"], [0])
    first[1].with_suffix(".json").unlink()
    first[2].with_suffix(".json").unlink()
    compose(asked, tmp_path, tmp_path / "out", CONSOLE)
    assert {path: path.read_bytes() for path in first} == bytes_of
    twin = Path(again(first[2], tmp_path / "again", CONSOLE))
    assert twin.read_bytes() == bytes_of[first[2]]


def test_a_picture_is_not_made_again_of_other_conditions(
    base: dict[str, Any], conditions: Path, tmp_path: Path
) -> None:
    for name in ("edges.png", "others.png"):
        (tmp_path / name).write_bytes((conditions / name).read_bytes())
    control = {"network": str(conditions / "network"), "image": "edges.png"}
    asked = job(guided({"kind": "minimal_impact", "over": base, "controls": [control]}), prompts=["a"], seeds=[0])
    (picture,) = compose(asked, tmp_path, tmp_path / "out", CONSOLE)
    (tmp_path / "others.png").rename(tmp_path / "edges.png")
    with pytest.raises(ChangedSince, match=r"was made of other files than are there now: edges\.png"):
        again(picture, tmp_path / "again", CONSOLE)


def test_fusers_compose_by_what_they_are_given(base: dict[str, Any], conditions: Path, fusers: Path) -> None:
    of = {"kind": "compose_and_conquer", "over": base, "fusers": str(fusers), "mask": "left.png"}
    depths, exemplars = {"depths": ["edges.png", "others.png"]}, {"exemplars": ["edges.png", "small.png"]}

    def composed(**more: Any) -> Tensor:
        return made(job(guided({**of, **more}), prompts=["a red star"], seeds=[0]), conditions)

    made_so = [
        composed(**depths),
        composed(**exemplars),
        composed(**depths, **exemplars),
        composed(**depths, **exemplars, lambdas=[1, 0]),
        composed(**depths, **exemplars, guidance="hadamard"),
        made(job(guided(base), prompts=["a red star"], seeds=[0])),
    ]
    assert all(not torch.allclose(a, b, atol=1e-4) for a, b in combinations(made_so, 2))


def test_a_count_goes_on_from_the_one_seed(base: dict[str, Any], tmp_path: Path) -> None:
    counted, told = job(guided(base), seeds=[5], count=3), job(guided(base), seeds=[5, 6, 7])
    made_of = MadeOf(tmp_path)
    assert [own.name for own in pictures_of(counted, made_of)] == [own.name for own in pictures_of(told, made_of)]
    with pytest.raises(ValueError, match=r"count\n.*goes on from one seed, and here are 2"):
        job(guided(base), seeds=[5, 6], count=2)


def test_energies_without_a_number_are_recorded(
    base: dict[str, Any], conditions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_number = Energy(lambda x: x.flatten(1).sum(dim=1) * torch.nan)
    monkeypatch.setattr(energies, "colour_energy", lambda *_: no_number)
    energy = {"kind": "colour", "region": "left.png", "colour": [255, 0, 0], "rho": 1.0}
    of = {"kind": "guided", "scale": 1, "model": base}
    asked = job({"kind": "freedom", "of": of, "energies": [energy]}, prompts=["a"], seeds=[0], batch=1)
    (picture,) = compose(asked, conditions, conditions / "left-out", CONSOLE)
    record = json.loads(picture.with_suffix(".json").read_text())
    assert len(record["left_out"]["energies.0"]) == 3
    assert cv2.imread(str(picture)) is not None


def test_a_model_of_v_is_sampled_as_one_of_v(base: dict[str, Any], untrained: Path, tmp_path: Path) -> None:
    of_v = with_scheduler(untrained, tmp_path, {"prediction_type": "v_prediction"})
    found, other = (made(job(guided({**base, "model": str(model)}))) for model in (of_v, untrained))
    assert not torch.equal(found, other)


def with_scheduler(model: Path, folder: Path, told: dict[str, Any]) -> Path:
    """A model whose scheduler says something else."""
    copy = folder / "model"
    shutil.copytree(model, copy)
    file = copy / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **told}))
    return copy


@pytest.mark.usefixtures("ray4")
def test_actors_make_the_same_bytes(base: dict[str, Any], tmp_path: Path) -> None:
    asked = job(guided(base), batch=1)
    here = compose(asked, tmp_path, tmp_path / "here")
    over_ray = run(asked, tmp_path, tmp_path / "ray", CONSOLE, TWO)
    assert over_ray.quarantined == []
    assert [(tmp_path / "ray" / path.name).read_bytes() for path in here] == [path.read_bytes() for path in here]


@pytest.mark.slow
@pytest.mark.usefixtures("ray4")
def test_a_picture_that_kills_its_worker_is_quarantined_and_the_others_are_made(
    base: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "ComposeWork", importlib.import_module("deadly_compose").DeadlyWork)
    asked = job(guided(base), prompts=["a red star"], seeds=[0, 1, 2], batch=4)
    composed = run(asked, tmp_path, tmp_path / "out", CONSOLE, TWO)
    assert (len(composed.made), len(composed.quarantined)) == (2, 1)
    record = json.loads((tmp_path / "out/quarantine" / f"{composed.quarantined[0]}.json").read_text())
    assert record["job"]["seeds"] == [1]
    assert record["reason"] == "its worker died of it twice"
    assert all((tmp_path / "out" / f"{name}.png").exists() for name in composed.made)


def test_the_command_makes_a_job(untrained: Path, tmp_path: Path) -> None:
    shown = subprocess.run([SLUICE, "compose", "--example", "unite"], capture_output=True, text=True, check=True)
    (tmp_path / "unite.yaml").write_text(shown.stdout.replace("model: tabletop", f"model: {untrained}"))
    asked = [SLUICE, "compose", tmp_path / "unite.yaml", "--set", "steps=2", "--out", tmp_path / "out"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 4
    assert "4 pictures in" in done.stdout
