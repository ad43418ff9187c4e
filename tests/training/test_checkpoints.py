"""Checkpoints that are there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sluice.infra.storage import StorageError, storage
from sluice.training.checkpoints import Checkpoints, OtherTraining, require_same
from tests.faults.proxy import FaultProxy, seeded

TRAINING = {"recipe": "micontrolnet-1", "data": "abc"}


def at(folder: Path, training: dict[str, str] | None = None, keep: int = 3) -> Checkpoints:
    return Checkpoints(storage(folder), training or TRAINING, keep)


def quiet(line: str) -> None:
    raise AssertionError(line)


def test_the_newest_state_comes_back_to_the_bit(tmp_path: Path) -> None:
    assert at(tmp_path).newest(quiet) is None
    state = {"step": 7, "network": {"weight": torch.randn(3, 4)}, "moments": {"weight": torch.randn(3, 4).bfloat16()}}
    at(tmp_path).write(6, {"step": 6})
    at(tmp_path).write(7, state)
    found = at(tmp_path).newest(quiet)
    assert found is not None
    assert found["step"] == 7
    assert torch.equal(found["network"]["weight"], state["network"]["weight"])
    assert torch.equal(found["moments"]["weight"], state["moments"]["weight"])


def test_the_last_few_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        at(tmp_path, keep=2).write(step, {"step": step})
    assert sorted(path.name for path in tmp_path.glob("0*")) == [
        "000000004.json",
        "000000004.pt",
        "000000005.json",
        "000000005.pt",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "cut",
        "gone",
        '{"step": 2, "sha',
        "[]",
        '{"step": 2}',
        '{"training": 1, "sha256": ""}',
        '{"training": {}, "sha256": ""}',
        '{"training": {"a": ""}, "sha256": 5}',
    ],
)
def test_a_damaged_one_is_passed_over_and_said(damage: str, tmp_path: Path) -> None:
    for step in (1, 2):
        at(tmp_path).write(step, {"step": step})
    newest = tmp_path / "000000002.pt"
    if damage == "cut":
        newest.write_bytes(newest.read_bytes()[:-10])
    elif damage == "gone":
        newest.unlink()
    else:
        (tmp_path / "000000002.json").write_text(damage)
        at(tmp_path).require_own()
    told: list[str] = []
    found = at(tmp_path).newest(told.append)
    assert found == {"step": 1}
    assert told == [f"the checkpoint after step 2 in {tmp_path} is damaged: the one before it is taken"]


def test_what_was_put_without_its_note_is_not_believed(tmp_path: Path) -> None:
    at(tmp_path).write(1, {"step": 1})
    (tmp_path / "000000002.pt").write_bytes((tmp_path / "000000001.pt").read_bytes())
    assert at(tmp_path).newest(quiet) == {"step": 1}


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    at(tmp_path).write(1, {"step": 1})
    with pytest.raises(OtherTraining, match=r"data: abc then, xyz now.*--out of its own"):
        at(tmp_path, {**TRAINING, "data": "xyz"}).newest(quiet)


def test_what_began_with_an_earlier_version_of_its_data_is_told_how_it_goes_on() -> None:
    began = {"data 0": "birds 0123456789ab", "data 1": "s3://team/merged 0123456789ab"}
    with pytest.raises(
        OtherTraining,
        match=r"goes on with the versions that it began with: --data OUT/datasets/birds/0123456789ab\. Give",
    ):
        require_same("one", began, {**began, "data 0": "birds ba9876543210"})
    others = {"data 0": "cats ba9876543210"}, {"data 1": "s3://team/merged ba9876543210"}
    for other in (*others, {"data 0": "birds ba9876543210", "batch": "2"}):
        with pytest.raises(OtherTraining, match=r"now\)\. Give"):
            require_same("one", began, began | other)


def test_a_server_that_misbehaves_keeps_them_whole(fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fault_proxy.environment.items():
        monkeypatch.setenv(name, value)
    kept = Checkpoints(storage(f"s3://{fault_proxy.server.new_bucket()}/checkpoints"), TRAINING, keep=2)
    states = {step: torch.randn(1000) for step in range(1, 5)}
    with fault_proxy.dealing(seeded(0.3, seed=5)):
        for step, weight in states.items():
            kept.write(step, {"step": step, "weight": weight})
        found = kept.newest(quiet)
    assert fault_proxy.counts
    assert found is not None
    assert torch.equal(found["weight"], states[4])
    assert sorted(entry.path for entry in kept.storage.list()) == [
        "000000003.json", "000000003.pt", "000000004.json", "000000004.pt",
    ]  # fmt: skip


def test_a_state_of_another_training_is_refused_before_it_is_read(tmp_path: Path) -> None:
    at(tmp_path).require_own()
    at(tmp_path).write(1, {"step": 1})
    (tmp_path / "000000001.pt").unlink()
    at(tmp_path).require_own()
    with pytest.raises(OtherTraining, match="data: abc then, def now"):
        at(tmp_path, {**TRAINING, "data": "def"}).require_own()


def test_a_place_that_takes_nothing_is_found_before_there_is_a_state(tmp_path: Path) -> None:
    at(tmp_path).claim()
    assert at(tmp_path).last_step() is None
    assert at(tmp_path).newest(quiet) is None
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        at(tmp_path / "file").claim()
