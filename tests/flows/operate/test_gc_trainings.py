"""Checkpoints that garbage collection takes, and versions that trainings keep from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Kept
from sluice.flows.operate.old_states import delete_states
from sluice.flows.operate.trainings import TrainingFolder
from sluice.infra.local import LocalStorage
from sluice.infra.lock import Occupied, alone_in
from sluice.preprocess.version.manifest import Version
from tests.flows.command_line import Sluice
from tests.flows.operate.collected import ONE
from tests.flows.operate.conftest import DAY, age


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    """Two trainings with three checkpoints each, and a state that a crash left without a note: one is done."""
    for name in ("done", "stopped"):
        folder = tmp_path / "networks" / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "recipe.json").write_text(json.dumps({"method": "cnc-local", "steps": 30}))
        for step in (10, 20, 30):
            (folder / "checkpoints" / f"{step:09}.pt").write_bytes(b"state")
            (folder / "checkpoints" / f"{step:09}.json").write_text(json.dumps({"training": {"data 0": "small abc"}}))
        (folder / "checkpoints" / "000000040.pt").write_bytes(b"half")
    (tmp_path / "networks" / "done" / "model").mkdir()
    (tmp_path / "networks" / "done" / "model" / "README.md").touch()
    age(tmp_path / "networks")
    return tmp_path / "networks"


def test_of_a_finished_training_the_last_checkpoint_stays(networks: Path, sluice: Sluice) -> None:
    def states(name: str) -> list[int]:
        return sorted(int(path.stem) for path in (networks / name / "checkpoints").glob("*.pt"))

    dry = sluice("gc", "--trained", networks).out
    assert "Nothing was deleted" in dry
    assert states("done") == [10, 20, 30, 40]
    assert sluice("gc", "--trained", networks, "--delete").code == 0
    assert states("done") == [30]
    assert states("stopped") == [10, 20, 30]
    assert "Nothing is to go." in sluice("gc", "--trained", networks, "--delete").out


def test_what_is_no_state_of_a_training_stays_where_its_checkpoints_lie(networks: Path, sluice: Sluice) -> None:
    others = ["sd15.pt", "weights/000000050.pt", "0000000050.pt"]
    for name in others:
        file = networks / "done" / "checkpoints" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"weights of somebody")
    age(networks)
    assert sluice("gc", "--trained", networks, "--delete").code == 0
    assert [name for name in others if not (networks / "done" / "checkpoints" / name).exists()] == []


def test_states_of_a_part_of_the_family_are_deleted_while_nobody_trains_it(tmp_path: Path) -> None:
    part = tmp_path / "family" / "runs" / "captioned"
    (part / "checkpoints").mkdir(parents=True)
    (part / "recipe.json").write_text("{}")
    training, doomed = TrainingFolder(part), Doomed("", [], ["000000010.pt"], 0)
    with alone_in(tmp_path / "family"), pytest.raises(Occupied):
        delete_states(training, doomed)
    delete_states(training, doomed)


def test_a_version_that_a_training_goes_on_with_is_kept(two: tuple[Path, Version, Version], networks: Path) -> None:
    folder, first, _ = two
    place = LocalStorage(folder / "out")
    for name in ("done", "stopped"):
        origin = {"identity": {"data 0": f"small {first.id}"}}
        (networks / name / "training.json").write_text(json.dumps(origin))
    told = list(GarbageCollection(ONE, DAY, False)(place, [networks / "stopped"]))
    kept = next(each for each in told if isinstance(each, Kept))
    assert kept.reasons[first.id] == f"{networks / 'stopped'} is trained on it"
    told = list(GarbageCollection(ONE, DAY, False)(place, [networks / "done"]))
    assert [stored.id for stored in next(each for each in told if isinstance(each, Kept)).going] == [first.id]
