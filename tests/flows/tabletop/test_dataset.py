"""A data set of tabletop scenes in which the family sees everything that other networks see in photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sluice.preprocess.record import field_named
from sluice.preprocess.verify.version import verify
from tests.flows.conftest import config_for
from tests.flows.records import read_records


def test_the_family_runs_every_learned_stage(build: Callable[..., Any], untrained: Path, tmp_path: Path) -> None:
    judges, family = str(untrained / "judges"), str(untrained)
    stages = {
        "image": {"size": 64, "min_side": 0},
        "depth": {"model": judges},
        "pose": {"model": judges},
        "mask": {"model": judges},
        "background": {"model": family, "steps": 2, "prompt": "", "negative_prompt": "", "guidance": 1.0},
        "bg_depth": {"model": judges},
        "clip": {"model": str(untrained / "image_encoder")},
        "text": {"model": family},
        "latent": {"model": family},
    }
    source = {"kind": "tabletop", "uri": "4", "size": 64}
    built, version, said = build(config_for(source, tmp_path / "out", stages=stages, workers=2))
    assert version.manifest["counts"]["records"] == 4, said
    shapes = {
        "depth.png": (64, 64),
        "mask.png": (64, 64),
        "bg.jpg": (64, 64, 3),
        "clip.npy": (128,),
        "text.npy": (77, 128),
        "latent.npy": (2, 4, 16, 16),
    }
    for fields in read_records(tmp_path / "out", version).values():
        for name, shape in shapes.items():
            value = field_named(name).decode(fields[name])
            assert value.shape == shape, name
            assert np.isfinite(value).all(), name
        assert isinstance(json.loads(fields["pose.json"])["people"], list)
    assert list(verify(built.storage, version)) == []
