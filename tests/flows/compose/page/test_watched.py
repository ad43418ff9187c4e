"""What is noted of a sampling for a page; watching changes no bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.run.watched import FOLDER, evenly
from sluice.flows.compose.tree.job import Job
from sluice.inference.watching import Watch
from sluice.training.networks.local_fuser import LocalFuser
from tests.flows.compose.page.pages import QUIET


def test_watching_changes_no_bit(job: dict[str, Any], out: Path, given: Path, tmp_path: Path) -> None:
    made = compose(Job.model_validate(job), given, tmp_path, QUIET).made
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{end}" for name in made for end in ("json", "png")}
    for path in tmp_path.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_what_was_noted_is_of_every_step_and_layer(job: dict[str, Any], out: Path) -> None:
    notes = [json.loads(path.read_text()) for path in (out / FOLDER).iterdir()]
    assert len(notes) == len(job["seeds"])
    for own in notes:
        assert [len(strip["figures"]) for strip in own["foreseen"]] == [job["steps"]]
        told = {(series["what"], series["of"]): series["values"] for series in own["numbers"]}
        names = {("energy", "1. colour"), ("energy", "2. edges"), ("guidance", ""), ("gain", "all controls")}
        names |= {("share", of) for of in ("all controls", "1. network", "2. network")}
        names.add(("cosine", "1. colour, 2. edges"))
        assert told.keys() == names | {("weight", "1. network"), ("weight", "2. network")}
        assert len({len(layers) for (what, _), values in told.items() if what == "share" for layers in values}) == 1
        gains, shares = (np.array(told[what, "all controls"]) for what in ("gain", "share"))
        assert shares.max() > 0
        assert not shares[gains == 0].any()  # of what agrees with the feature already


def test_models_together_are_told_apart_and_fusers_of_nothing_add_nothing(untrained: Path, tmp_path: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet", dtype=torch.float32)
    LocalFuser.from_controlnet(ControlNetModel.from_unet(unet), 4).save_pretrained(tmp_path / "zero" / "local")
    base, scene = {"kind": "base", "model": str(untrained)}, {"scene": 7, "law": "two"}
    mask, *depths = ({"drawn": {**scene, "field": field}} for field in ("mask", "fg_depth", "bg_depth"))
    given = {"fusers": str(tmp_path / "zero"), "mask": mask, "depths": depths}
    fused = {"kind": "compose_and_conquer", "over": base, **given}
    united = {"kind": "unite", "models": [{"model": base}, {"model": {**base, "prompt": "a cube"}}]}
    of = [{"kind": "ddim", "of": {"kind": "guided", "model": fused}}, {"kind": "ddim", "of": united}]
    picture = {"kind": "amdm", "together": 1, "of": of}
    composer = Composer(Job.model_validate({"prompts": [""], "steps": 2, "picture": picture}), tmp_path)
    plain = composer([""], [0])
    composer.watch = Watch(1)
    assert torch.equal(composer([""], [0]), plain)
    notes = composer.watch.notes.of
    steps = {name: len(by_time) for name, by_time in notes.items()}
    assert steps == {
        ("estimate", "model 1: "): 2,
        ("guidance", "model 1: "): 2,
        ("share", "model 1: local fuser"): 2,
        ("estimate", "model 2: "): 1,
        ("guidance", "model 2: part 1: "): 1,
        ("guidance", "model 2: part 2: "): 1,
    }
    assert all(not layers.any() for layers in notes["share", "model 1: local fuser"].values())


def test_ends_are_kept_of_what_is_thinned() -> None:
    assert evenly(range(50), 8) == [0, 7, 14, 21, 28, 35, 42, 49]
    assert evenly([3, 4], 8) == [3, 4]
