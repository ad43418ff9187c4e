"""A fault in each flow, by the machinery of the soak: what nobody survives is started again, to the same bytes.

Kills of a build's driver and workers, and S3 under a build, have tests of their own in tests/flows/dataset.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.soak.flows import FLOWS, Made
from tests.soak.grounds import Grounds, grounds
from tests.soak.report import defects_of
from tests.soak.run import disturb
from tests.soak.storm import Storm
from tests.soak.undisturbed import train_data, undisturbed

FLOW = {flow.name: flow for flow in FLOWS}
MET = [
    ("dataset", "raylet"),
    ("dataset", "Prefect server"),
    ("dataset", "disk full"),
    ("train", "disk full"),
    ("train", "S3 reset"),
    ("train over Ray", "worker"),
    ("train over Ray", "raylet"),
    ("compose", "worker"),
    ("compose", "raylet"),
    ("compose", "driver"),
    ("compose", "Prefect server"),
    ("compose", "disk full"),
    ("compose on S3", "S3 503"),
    ("evaluate", "driver"),
    ("evaluate", "disk full"),
    ("evaluate over Ray", "worker"),
    ("evaluate over Ray", "raylet"),
    ("evaluate over Ray", "Prefect server"),
]


@pytest.fixture(scope="module")
def ground() -> Iterator[Grounds]:
    """Left behind by what is killed may be a process that still writes a log there."""
    with (
        tempfile.TemporaryDirectory(prefix="sluice-faults-", ignore_cleanup_errors=True) as folder,
        grounds(Path(folder), 1) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def whole(ground: Grounds) -> Callable[[str], Made]:
    """What a flow comes to undisturbed, made when it is first asked for."""

    @cache
    def data() -> None:
        train_data(ground, 0)

    @cache
    def made(name: str) -> Made:
        if name.startswith("train"):
            data()
        return undisturbed(FLOW[name], ground.place(0, f"undisturbed-{name.replace(' ', '-')}"), ground)

    return made


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "kind"), MET)
def test_a_fault_loses_nothing_and_doubles_nothing(
    name: str, kind: str, ground: Grounds, whole: Callable[[str], Made]
) -> None:
    if kind == "disk full" and not ground.small:
        pytest.skip("FULL DISK NOT TESTED: a small tmpfs cannot be mounted here")
    there = whole(name)
    draw = random.Random(f"{name}/{kind}")
    storm = Storm(ground, draw, iter([0.0]), {kind}, at_work=name != "train")  # its data are read first
    place = ground.place(0, f"{name}-{kind}".replace(" ", "-"))
    outcome = disturb(FLOW[name], place, ground, storm, there)
    assert [(strike.kind, strike.lasting.met) for strike in storm.strikes] == [(kind, True)]
    assert list(defects_of(outcome)) == []
