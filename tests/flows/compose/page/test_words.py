"""A job in words."""

from __future__ import annotations

from typing import Any

from sluice.flows.compose.page.words import tree_of
from sluice.flows.compose.tree.job import Job


def test_the_job_is_told_in_words(job: dict[str, Any]) -> None:
    tree = tree_of(Job.model_validate(job))
    assert tree.text == "`freedom`: form `ancestral`"
    assert tree.note == "Steps guided by the plain sum of energies"
    of, first, _ = tree.branches
    assert of.text == "of `guided`: scale 5"
    assert first.text == "energies 1 `colour`: region `left.png`, colour (255, 0, 0), rho 0.1"
    (model,) = of.branches
    assert [own.text.partition(":")[0] for own in model.branches] == ["over `base`", "controls 1", "controls 2"]
    assert "speaks `left.png`" in model.branches[2].text
