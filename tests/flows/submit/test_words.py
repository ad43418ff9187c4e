"""What may be sent to a cluster, and what goes along."""

from __future__ import annotations

import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer import TyperException

from sluice.flows.submit import sight
from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.sight import CannotSubmit
from sluice.flows.submit.words import Asked, understood, watched
from sluice.infra.settings import ConfigError

CLUSTER = Cluster(address="http://127.0.0.1:8265", shared=("/weights",))

JOB = """
prompts: [a red star]
picture:
  kind: ddim
  of:
    kind: guided
    model: {kind: multi_controlnet, over: {kind: base, model: tabletop}, controls: [{network: a, image: %s}]}
"""


def send(command: str, alone: bool = False) -> Asked:
    return understood(shlex.split(command), CLUSTER, "a800", alone)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "there"),
    [
        (
            "dataset build -c tabletop --source tabletop:20 --out s3://a/b",
            "dataset build -c tabletop --source tabletop:20 --out s3://a/b --set ray_address=auto",
        ),
        (
            "dataset build -c tabletop --out s3://a/b --set ray_address=10.0.0.1:6379",
            "dataset build -c tabletop --out s3://a/b --set ray_address=10.0.0.1:6379",
        ),
        (
            "dataset verify --out s3://a/b --version 1a2b",  # of what was made: the source is not looked at
            "dataset verify --out s3://a/b --version 1a2b --set ray_address=auto",
        ),
        (
            "dataset alias s3://a/b/datasets/c latest 1a2b",
            "dataset alias s3://a/b/datasets/c latest 1a2b",
        ),
        (
            "train controlnet --data s3://a/b --out /weights/one --ray 8",
            "train controlnet --data s3://a/b --out /weights/one --ray 8 --ray-address auto",
        ),
        (
            "evaluate --suite papers --place /weights/p --out /weights/r",
            "evaluate --suite papers --place /weights/p --out /weights/r --ray-address auto",
        ),
    ],
)
def test_what_the_cluster_sees_goes_as_it_is_and_works_on_the_cluster(command: str, there: str) -> None:
    assert shlex.join(send(command).words) == there
    assert send(command).files == {}


def test_commands_beside_the_measuring_itself_are_understood() -> None:
    report = "evaluate report --results /weights/r --place /weights/p --out /weights/r.md"
    assert shlex.join(send(report).words) == report
    compare = "evaluate compare /weights/a /weights/b"
    assert shlex.join(send(compare).words) == compare


def test_a_training_with_gpus_of_its_own_is_one_process() -> None:
    command = "train controlnet --data s3://a/b --out /weights/one"
    assert shlex.join(send(command, alone=True).words) == command
    with pytest.raises(CannotSubmit, match="give --ray N"):
        send(command)


@pytest.mark.parametrize("log", ["-", "/weights/runs.jsonl"])
def test_a_job_is_watched_by_what_its_machines_reach(log: str) -> None:
    assert watched(log, "0.0.0.0:9464", CLUSTER) == ("--log", log, "--metrics", "0.0.0.0:9464")
    assert watched(None, None, CLUSTER) == ()


@pytest.mark.parametrize("log", ["runs.jsonl", "/home/runs.jsonl", "s3://a/runs.jsonl"])
def test_a_log_that_nobody_would_find_is_refused(log: str) -> None:
    with pytest.raises(CannotSubmit, match=f"--log {log}: .* give -, for `sluice logs`, or a file under /weights"):
        watched(log, None, CLUSTER)
    with pytest.raises(ConfigError, match="--metrics no-port: give PORT, or HOST:PORT"):
        watched(None, "no-port", CLUSTER)


def test_small_files_go_along(folder: Path) -> None:
    (folder / "team.yaml").write_text(
        "source: {kind: folder, uri: s3://team/pictures}\nout: s3://team/sluice\nstages: {canny: {}}"
    )
    (folder / "engine.json").write_text("{}")
    for given, there in (("--config=./", "--config="), ("-c", "-c")):
        asked = send(f"dataset build {given}team.yaml")
        assert asked.words[2] == f"{there}files/0/team.yaml"
        assert asked.files == {Path("team.yaml"): "files/0/team.yaml"}
        assert asked.name == "dataset build"
    asked = send("train controlnet --data s3://a/b --out /weights/one --ray 8 --engine engine.json")
    assert asked.files == {Path("engine.json"): "files/0/engine.json"}


def test_a_ready_configuration_is_meant_whatever_folder_is_called_so(folder: Path) -> None:
    (folder / "tabletop").mkdir()
    assert send("dataset build -c tabletop --source tabletop:20 --out s3://a/b").files == {}
    with pytest.raises(CannotSubmit, match="--source tabletop would be of one machine alone"):
        send("dataset build -c tabletop --source tabletop --out s3://a/b")


def test_a_file_of_prompts_and_boxes_goes_along(folder: Path) -> None:
    (folder / "mig.json").write_text("{}")
    asked = send("evaluate --protocol amdm --data mig.json --place /weights/p --out /weights/r")
    assert asked.files == {Path("mig.json"): "files/0/mig.json"}
    assert "--data files/0/mig.json" in shlex.join(asked.words)


def test_two_files_of_one_name_do_not_meet(folder: Path) -> None:
    for name, text in {"one": JOB % "cat.png", "two": "seed\n1\n"}.items():
        (folder / name).mkdir()
        (folder / name / "it.csv").write_text(text)
        cv2.imwrite(str(folder / name / "cat.png"), np.zeros((64, 64), np.uint8))
    asked = send("compose one/it.csv --table two/it.csv --out s3://a/b")
    assert asked.words[1:4] == ("files/0/it.csv", "--table", "files/1/it.csv")


def test_a_jobs_images_lie_beside_it_there_too(folder: Path) -> None:
    (folder / "own" / "edges").mkdir(parents=True)
    cv2.imwrite(str(folder / "own" / "edges" / "cat.png"), np.zeros((64, 64), np.uint8))
    (folder / "own" / "job.yaml").write_text(JOB % "edges/cat.png")
    asked = send("compose own/job.yaml --out s3://a/b")
    assert asked.files == {
        Path("own/job.yaml"): "files/0/job.yaml",
        Path("own/edges/cat.png"): "files/0/edges/cat.png",
    }
    for image in ("../cat.png", "gone.png"):
        (folder / "own" / "job.yaml").write_text(JOB % image)
        with pytest.raises(CannotSubmit, match=f"own/{image}, a condition of the job, must be a file below"):
            send("compose own/job.yaml --out s3://a/b")
    (folder / "own" / "job.yaml").write_text(JOB % "/home/cat.png")
    with pytest.raises(CannotSubmit, match=r"/home/cat.png, a condition of the job, would be of one machine alone"):
        send("compose own/job.yaml --out s3://a/b")


def test_a_tables_images_go_along_and_a_folders_model_does_not(folder: Path) -> None:
    for name in ("cat", "dog"):
        cv2.imwrite(str(folder / f"{name}.png"), np.zeros((64, 64), np.uint8))
    (folder / "job.yaml").write_text(JOB % "cat.png")
    table = folder / "rows.csv"
    table.write_text("seed,picture.of.model.controls.0.image\n1,\n2,dog.png\n")
    asked = send("compose job.yaml --table rows.csv --out s3://a/b")
    assert asked.files[Path("dog.png")] == "files/0/dog.png"
    assert asked.files[Path("cat.png")] == "files/0/cat.png"
    table.write_text("seed,picture.of.model.controls.0.image\n1,\n2,gone.png\n")
    with pytest.raises(CannotSubmit, match=r"gone.png, a condition of the job, must be a file below"):
        send("compose job.yaml --table rows.csv --out s3://a/b")
    (folder / "own").mkdir()
    table.write_text("seed,picture.of.model.over.model\n1,own\n")
    with pytest.raises(CannotSubmit, match=r"own, a model of the job, would be of one machine alone"):
        send("compose job.yaml --table rows.csv --out s3://a/b")


def test_many_files_are_too_many_for_a_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "LARGEST_ALL", 4)
    (folder / "engine.json").write_text("{    }")
    with pytest.raises(CannotSubmit, match="1 files of this machine are named, more than 100 MiB in all"):
        send("train controlnet --data s3://a/b --out /weights/one --ray 8 --engine engine.json")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("models pull sd15", "submit takes a command of dataset, train, compose, evaluate, not 'models'"),
        ("dataset build -c tabletop", r"out \(sluice-data\) would be of one machine alone.*give s3://..., or a folder"),
        ("dataset build --source here --out s3://a/b", r"--source here would be of one machine alone"),
        ("dataset build --source ./her/e --out s3://a/b", r"source \(./her/e\) would be of one machine alone"),
        (
            "train controlnet --data here --data s3://a --out /weights/a --ray 2",
            r"--data here would be of one machine alone",
        ),
        (
            "train controlnet --data s3://a --out runs --ray 2",
            r"--out runs would be of one machine alone.*/weights \(a800\)",
        ),
        ("evaluate --suite papers --place /weights/p", "say with --out where the results go"),
        ("evaluate --suite papers --out /weights/p", r"--place evaluation would be of one machine alone"),
        ("compose large.yaml --out s3://a/b", "large.yaml is larger than 10 MiB"),
    ],
)
def test_what_is_of_this_machine_alone_is_refused(folder: Path, command: str, said: str) -> None:
    (folder / "here").mkdir()
    (folder / "large.yaml").write_bytes(b"#" * (10 * 2**20 + 1))
    with pytest.raises(CannotSubmit, match=said):
        send(command)


def test_what_is_mistyped_is_told_before_anything_is_sent() -> None:
    with pytest.raises(TyperException, match="No such command 'biuld'"):
        send("dataset biuld")
    with pytest.raises(TyperException, match="--oot"):
        send("train controlnet --data s3://a --oot /weights/a")
    with pytest.raises(ConfigError, match="did you mean 'shard_size'"):
        send("dataset build -c tabletop --out s3://a/b --set shard_sise=3")
