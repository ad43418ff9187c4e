"""That all texts which are longer than what reads them are named, and no other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sluice.flows.compose.bound.cut import cut
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job

LONG = "a star " * 40
ENERGY = {"kind": "text", "text": LONG, "rho": 1.0}


def of(model: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "model": model}}


@pytest.mark.parametrize("told", ["prompt", "own prompt", "phrase", "energy", "class", "nothing"])
def test_a_text_that_is_too_long_is_named_whoever_reads_it(told: str, base: dict[str, Any], untrained: Path) -> None:
    things = [{"phrase": phrase, "box": [0, 0, 1, 1]} for phrase in ("a star", LONG)]
    of_class = {"kind": "class", "over": base, "network": str(untrained / "unet_class"), "label": 3}
    picture = {
        "own prompt": of({**base, "prompt": LONG}),
        "phrase": of({"kind": "boxes", "over": base, "network": str(untrained / "unet_boxes"), "things": things}),
        "energy": {**of(base), "kind": "freedom", "energies": [ENERGY]},
        "class": of(of_class),  # which reads no prompt
    }.get(told, of(base))
    prompt = LONG if told in {"prompt", "class"} else "a star"
    job = Job.model_validate({"prompts": [prompt], "picture": picture})
    assert cut(job, Parts("cpu")) == ([] if told in {"class", "nothing"} else [LONG])


def test_what_is_cut_is_said(plain: dict[str, Any], tmp_path: Path) -> None:
    said = io.StringIO()
    asked = Job.model_validate({**plain, "prompts": [LONG], "steps": 1})
    compose(asked, tmp_path, tmp_path / "out", Console(file=said, width=2000))
    assert "this text is longer than its model reads, and was cut: a star a star" in said.getvalue()
