"""What a job is told, and where it is silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sluice.flows.compose.page.inputs import input_blocks, inputs_of, silent_area
from sluice.flows.compose.tree.job import Job
from sluice.infra.page.blocks import Strip


def test_silence_is_where_nothing_is_near_or_where_a_control_does_not_speak(job: dict[str, Any], given: Path) -> None:
    control = np.zeros((64, 64, 3), np.float32)
    control[:, 10] = 1
    silent = silent_area(control)
    assert not silent[:, 2:19].any()
    assert silent[:, 19:].all()
    assert not silent_area(np.ones((8, 8, 3), np.float32)).any()
    (strip,) = input_blocks([Job.model_validate(job)] * 2, given)
    assert isinstance(strip, Strip)
    notes = [(figure.label, figure.note) for figure in strip.figures]
    assert ("control of network", "0.png") in notes
    assert ("control of network", "1.png; silent in 50%") in notes
    assert ("image of edges", "2.png") in notes
    assert len(notes) == 4


def test_black_of_a_depth_is_no_silence() -> None:
    scene = {"scene": 7, "field": "depth"}
    controls = [{"network": "any", "image": {"drawn": scene}}, {"network": "any-depth", "image": "0.png"},
                {"network": "any", "image": "0.png"}]  # fmt: skip
    picture = {"of": {"kind": "guided", "model": {"kind": "minimal_impact", "controls": controls}}, "kind": "ddim"}
    told = list(inputs_of(Job.model_validate({"prompts": [""], "picture": picture})))
    assert [own.by_itself for own in told] == [False, False, True]
