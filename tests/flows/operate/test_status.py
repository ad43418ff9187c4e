"""What `sluice status` tells of data sets, trainings and pictures, by listings alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.flows.dataset.tally import TooManyFailures
from sluice.flows.operate.composed import NothingComposed
from sluice.flows.operate.said import said
from sluice.flows.operate.status import Status, status
from sluice.flows.operate.stored import NothingBuilt
from sluice.flows.operate.trainings import NoTraining
from sluice.flows.submit.jobs import Job
from sluice.infra.local import LocalStorage
from sluice.infra.lock import alone_in
from sluice.preprocess.planning.build import pending, prepare, read_commits
from sluice.preprocess.planning.plan import store_plan
from tests.flows.command_line import Sluice
from tests.flows.conftest import config_for, write_pictures
from tests.flows.operate.conftest import DAY, age
from tests.preprocess.builds import build_here, config_here, run_scan, run_units, write_photo, write_photos


def of(out: Path | None = None, trained: tuple[Path, ...] = (), composed: tuple[str, ...] = ()) -> Status:
    return status(LocalStorage(out) if out else None, trained, composed)


def begun(folder: Path, units: int, **changes: Any) -> None:
    """A build that was killed after so many units."""
    build = prepare(config_here(folder, **changes), run_scan)
    store_plan(build.storage, build.plan_prefix, build.layout)
    run_units(build, list(pending(build, read_commits(build), build.plan.shards, False))[:units])


def test_versions_are_told_with_what_points_to_them_and_why_images_are_quarantined(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    (tmp_path / "photos" / "cut.png").write_bytes((tmp_path / "photos" / "p0.png").read_bytes()[:300])
    config = config_here(tmp_path, max_failures=1)
    _, first = build_here(config)
    write_photo(tmp_path / "photos", "new", 77, "a new one")
    _, second = build_here(config)
    (data,) = of(tmp_path / "out").data_sets
    assert [(own.id, own.aliases, own.records) for own in data.versions] == [
        (first.id, [], 9),
        (second.id, ["latest"], 10),
    ]
    assert data.planned == 4
    assert data.left == []
    assert data.versions[1].bytes == second.manifest["bytes"]
    ((reason, count),) = data.reasons.items()
    assert reason.startswith("image: ")
    assert count == 1
    retry = (
        f"sluice dataset build -c CONFIG.yaml --source folder:{tmp_path / 'photos'} --out {tmp_path / 'out'} --retry"
    )
    assert data.commands == [retry]


def test_what_a_killed_build_had_made_is_counted_and_how_to_go_on_is_said(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 8)
    begun(tmp_path, 3)
    (data,) = of(tmp_path / "out").data_sets
    assert data.versions == []
    assert {(own.stage, own.committed, own.planned) for own in data.left} == {("image", 2, 2), ("canny", 1, 2)}
    assert data.seems_to_run
    assert data.commands == []
    age(tmp_path / "out")
    read_commits(prepare(config_here(tmp_path), run_scan))
    (data,) = of(tmp_path / "out").data_sets
    assert not data.seems_to_run, "who plans does not build"
    assert data.commands == [f"sluice dataset build -c CONFIG.yaml --out {tmp_path / 'out'}"]
    build_here(config_here(tmp_path))
    (data,) = of(tmp_path / "out").data_sets
    assert (data.left, data.written, data.commands) == ([], None, [])


def test_a_build_that_failed_says_why_until_one_goes_on(tmp_path: Path, build: Callable[..., object]) -> None:
    write_pictures(tmp_path / "in", range(4))
    moody = {"digits": "0123456789abcdef", "flag": str(tmp_path / "in"), "journal": str(tmp_path / "journal")}
    stages = {"image": {"size": 64, "min_side": 16}, "moody": moody}
    with pytest.raises(TooManyFailures):
        build(config_for(tmp_path / "in", tmp_path / "out", stages=stages))
    (data,) = of(tmp_path / "out").data_sets
    assert not data.seems_to_run
    assert data.commands == [f"sluice dataset build -c CONFIG.yaml --out {tmp_path / 'out'}"]
    told = "\n".join(said(of(tmp_path / "out"), None))
    assert "the last build failed" in told
    assert "4 images failed, and max_failures allows" in told
    assert "seems to run" not in told
    build(config_for(tmp_path / "in", tmp_path / "out"))
    (data,) = of(tmp_path / "out").data_sets
    assert data.ended is None
    assert not (tmp_path / "out/datasets/made/run/ended.json").exists()
    assert [own.stage for own in data.left] == ["moody"]
    assert not data.seems_to_run, "what the first one left is recent, but older than the version"
    assert (
        "no build has written since the newest version; `sluice gc` deletes of these what no version needs"
        in "\n".join(said(of(tmp_path / "out"), None))
    )


def test_a_build_of_another_knob_and_of_new_images_is_seen_beside_what_is_there(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 8)
    build_here(config_here(tmp_path))
    stages = {"image": {"size": 64, "min_side": 0}, "canny": {"low": 50}, "depth": {"model": "cue"}}
    begun(tmp_path, 1, stages=stages)
    (data,) = of(tmp_path / "out").data_sets
    assert [(own.stage, own.committed, own.planned) for own in data.left] == [("canny", 1, 2)]
    write_photo(tmp_path / "photos", "new", 77, "a new one")
    begun(tmp_path, 0)
    (data,) = of(tmp_path / "out").data_sets
    assert data.seems_to_run, "its plan is newer than the version"
    begun(tmp_path, 1)
    (data,) = of(tmp_path / "out").data_sets
    told = sorted((own.stage, own.committed, own.planned) for own in data.left)
    assert told == [("canny", 1, 3), ("canny", 2, 3), ("depth", 2, 3), ("image", 3, 3)]


def test_a_training_is_running_while_its_folder_is_held(training: Path, tmp_path: Path) -> None:
    (stopped,) = of(trained=(tmp_path,)).trainings
    assert (stopped.state, stopped.step, stopped.steps, stopped.kept) == ("stopped", 40, 80, 30)
    assert stopped.figures == {"loss": 0.25}
    assert stopped.left_out == 2
    assert stopped.command is not None
    assert str(training) in stopped.command
    with alone_in(training):
        (running,) = of(trained=(training,)).trainings
    assert (running.state, running.command) == ("running", None)
    (training / "training.json").write_text(json.dumps({"command": "sluice train mine", "folder": "/else where"}))
    (noted,) = of(trained=(training,)).trainings
    assert noted.command == "cd '/else where' && sluice train mine"
    (training / "model").mkdir()
    (training / "model" / "README.md").touch()
    (finished,) = of(trained=(training,)).trainings
    assert (finished.state, finished.command) == ("finished", None)


def composed_in(folder: Path) -> Iterator[str]:
    (folder / "quarantine").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").touch()
        (folder / f"{name}.json").write_text("{}")
    (folder / "half.png").touch()
    for name, reason in (("c", "unsafe"), ("d", "unsafe"), ("e", "its worker died of it twice")):
        (folder / "quarantine" / f"{name}.json").write_text(json.dumps({"reason": reason}))
    yield str(folder)


def test_pictures_are_counted_where_their_record_is_there(tmp_path: Path) -> None:
    (found,) = of(composed=tuple(composed_in(tmp_path))).composed
    assert (found.made, found.quarantined) == (2, 3)
    assert list(found.reasons.items()) == [("unsafe", 2), ("its worker died of it twice", 1)]


def test_what_is_none_of_these_is_refused_with_what_to_name(tmp_path: Path, sluice: Sluice) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(NothingBuilt, match=r"holds no data set \(there is: photos\): name the place"):
        of(tmp_path)
    with pytest.raises(NoTraining, match=r"photos holds no training \(no recipe.json\)"):
        of(trained=(tmp_path / "photos",))
    with pytest.raises(NoTraining, match="none is no folder"):
        of(trained=(tmp_path / "none",))
    with pytest.raises(NothingComposed, match="holds no picture of `sluice compose`"):
        of(composed=(str(tmp_path),))
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "part").touch()
    with pytest.raises(NothingBuilt, match="no data set yet: a build began to index its source"):
        of(tmp_path)
    said = sluice("status", tmp_path)
    assert said.code == 2
    assert said.error.startswith("Error: ")


def test_a_screen_and_its_json_say_the_same(tmp_path: Path, training: Path, sluice: Sluice) -> None:
    write_photos(tmp_path / "photos", 4)
    _, version = build_here(config_here(tmp_path))
    age(tmp_path / "out", DAY)
    asked = ("status", tmp_path / "out", "--trained", training)
    lines = sluice(*asked).out.splitlines()
    assert lines[0] == "data set small: 1 version, 1 planned shard"
    assert lines[1].startswith(f"  {version.id} (latest): 4 records; ")
    assert lines[2] == f"training {training}: controlnet canny, stopped, step 40 of 80, loss 0.25"
    told = json.loads(sluice(*asked, "--json").out)
    assert told["data_sets"][0]["versions"][0]["id"] == version.id
    assert told["trainings"][0]["step"] == 40


def test_the_command_for_a_job_that_failed_names_its_cluster() -> None:
    job = Job("weekly-48", "", "FAILED", "sluice dataset build", "exit code 2", 1.0, 2.0)
    lines = list(said(Status(3.0, "", [], [], [], [], [job]), "team"))
    assert lines[-1].startswith("    sluice logs weekly-48 --cluster team says why")
