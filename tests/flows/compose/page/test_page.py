"""The page of a run, whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sluice.flows.compose.page.page import SHOWN, write_page
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job
from sluice.infra.local import LocalStorage
from sluice.preprocess.record import encode_png
from tests.flows.compose.page.pages import QUIET, found


def test_a_page_is_written_again_from_what_is_there_to_the_same_bytes(
    job: dict[str, Any], out: Path, given: Path
) -> None:
    before = (out / "index.html").read_bytes()
    compose(Job.model_validate(job), given, out, QUIET, page=True)
    assert (out / "index.html").read_bytes() == before


def test_of_many_pictures_the_first_are_shown_and_the_others_named(job: dict[str, Any], tmp_path: Path) -> None:
    place = LocalStorage(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    asked = [found({**job, "prompts": ["a star"], "seeds": [seed]}).asked for seed in range(3000)]
    for own in asked[:SHOWN]:
        place.write(f"{own.name}.png", encode_png(noise))
        place.write(f"{own.name}.json", json.dumps({**own.record, "safety": {"by": "none", "unsafe": None}}).encode())
    write_page(place, asked)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<img") == SHOWN
    assert f'href="{asked[SHOWN].name}.png"' in page
    assert asked[-1].name not in page
    assert f"The first {SHOWN} of 3,000." in page
    assert len(page) < 4_000_000
