"""Runs one after the other, by the same actors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sluice.flows.compose.run.flow import compose_all
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.run.runs import KIND, OverRay, Workers, runs
from sluice.flows.compose.run.said import Said
from sluice.flows.compose.run.work import ComposeWork
from sluice.flows.compose.tree.job import Job
from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit
from sluice.infra.storage import storage

QUIET = Console(quiet=True)


@pytest.mark.usefixtures("ray4")
def test_actors_stay_for_the_next_run_and_others_come_after_one_that_failed(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    out, hired = storage(tmp_path / "out"), []
    with runs(Workers(1)) as run:
        assert isinstance(run, OverRay)
        for seed in (0, 1, 2):
            if seed == 2:
                with pytest.raises(ExecutionError, match="pictures/none failed"):
                    run(ComposeWork(tmp_path, out), [Unit("pictures/none", KIND, None)], Said(QUIET, 1))
            asked = pictures_of(Job.model_validate({**plain, "seeds": [seed], "steps": 1}), MadeOf(tmp_path))
            assert len(compose_all(list(asked), tmp_path, out, QUIET, run).made) == 1
            hired += run.dispatcher.crew.actors
    first, second, third = hired
    assert first is second is not third
