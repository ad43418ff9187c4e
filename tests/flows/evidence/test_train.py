"""Training the evidence's networks: data built, each network once, from those that it begins from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.evidence.train import EvidenceTraining, FailedTraining
from sluice.flows.training.commands import ENGINE
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser
from tests.flows.evidence.small import SMALL

STEPS = ["steps=2", "batch=4", "micro_batch=2", "warm_up=0"]


@pytest.mark.slow
def test_a_network_is_trained_once_after_those_that_it_begins_from(untrained: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    training = EvidenceTraining(SMALL, tmp_path, str(untrained), 2, STEPS, ENGINE, console)
    training(["both", "edges"])
    training(["both"])
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert [said.count(f"{name}: trained already") for name in ("local", "global", "both")] == [1, 1, 1]
    for kind, part in ((LocalFuser, "local"), (GlobalFuser, "global")):
        kind.from_pretrained(tmp_path / "networks/both/model" / part)
    LocalFuser.from_pretrained(tmp_path / "networks/edges/model/local")
    failing = EvidenceTraining(SMALL, tmp_path, str(untrained), 1, ["batch=3"], ENGINE, console)
    with pytest.raises(FailedTraining, match="canny-1 was not trained"):
        failing(["canny-2"])
