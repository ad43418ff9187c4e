"""A run with a page, and the job that it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job
from tests.flows.compose.page.pages import EVIL, QUIET


@pytest.fixture(scope="session")
def job(untrained: Path, given: Path) -> dict[str, Any]:
    """Two controls, one of which is silent in the right half, and two energies."""
    cv2.imwrite(str(given / "left.png"), np.repeat([[255] * 32 + [0] * 32], 64, axis=0).astype(np.uint8))
    network, over = str(given / "network"), {"kind": "base", "model": str(untrained)}
    controls = [{"network": network, "image": "0.png"}, {"network": network, "image": "1.png", "speaks": "left.png"}]
    model = {"kind": "minimal_impact", "over": over, "controls": controls}
    red = {"kind": "colour", "region": "left.png", "colour": [255, 0, 0], "rho": 0.1}
    energies = [red, {"kind": "edges", "image": "2.png", "rho": 0.1}]
    picture = {"kind": "freedom", "energies": energies, "of": {"kind": "guided", "model": model}}
    return {"prompts": [EVIL], "seeds": [0, 1], "steps": 2, "batch": 2, "picture": picture}


@pytest.fixture(scope="session")
def out(job: dict[str, Any], given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its page."""
    place = tmp_path_factory.mktemp("out")
    compose(Job.model_validate(job), given, place, QUIET, page=True)
    return place
