"""Mistakes of a command, told before anything is sent."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.words import Asked, understood
from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError

CLUSTER = Cluster(address="http://127.0.0.1:8265", shared=("/weights",))


def send(command: str) -> Asked:
    return understood(shlex.split(command), CLUSTER, "a800", alone=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("dataset build -c tabletop --out s3://a/b --set stages.canny.lo=3", "did you mean 'low'"),
        ("dataset build -c tabletop --out s3://a/b --source tabletop:many", "how many scenes"),
        ("dataset build -c photos --source elsewhere --out s3://a/b", "source (elsewhere) would be of one machine"),
        ("dataset build -c photos --source nosuch:s3://b/p --out s3://a/b", "source (nosuch:s3://b/p) would be of one"),
        ("dataset drift -c tabletop --out s3://a/b --page here.html", "--page here.html would be of one machine"),
        ("dataset remove s3://a/b/datasets/c --keys nofile", "--keys nofile: there is no such file here"),
        ("dataset remove s3://a/b/datasets/c", "no keys are given; give --keys FILE"),
        ("dataset remove s3://a/b/datasets/c --key 12", "'12' is no key; a key is "),
        ("dataset remove s3://a/b/datasets/c --key 12 --out s3://other", "lies in s3://a/b, and --out says s3://other"),
        ("dataset alias s3://a/b/datasets/c LATEST 1a2b", "'LATEST' cannot be an alias"),
        ("dataset build -c tabletop --out s3://", "'s3://' is not a place Sluice can read or write"),
        ("dataset build -c tabletop --out s3://a/b --set ray_address=nowhere", "ray_address = nowhere is no address"),
        ("dataset build --help", "`dataset build --help` says what there is and runs nothing"),
        ("dataset", "`dataset` is no whole command: one of plan, build, "),
        ("train controlnet --data nosuch --out /weights/one --ray 2", "--data nosuch would be of one machine alone"),
        ("train controlnet --data s3:// --out /weights/one --ray 2", "'s3://' is not a place"),
        (
            "compose job.yaml --out /weights/one --ray-address 10.0.0.1:port",
            "ray_address = 10.0.0.1:port is no address",
        ),
        ("train controlnet --data s3://a/b --out /weights/one --ray 2 --set nosuch=1", "there is no 'nosuch'"),
        ("train controlnet --data s3://a/b --out /weights/one --ray 2 --scale nosuch", "tabletop and paper"),
        ("evaluate --protocol unit --place /weights/p --out /weights/r", "did you mean 'unite'"),
        ("evaluate --suite papers --scenes 1 --place /weights/p --out /weights/r", "--scenes 1"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(command: str, told: str) -> None:
    with pytest.raises(SluiceError) as raised:
        send(command)
    assert told in str(raised.value)


@pytest.mark.parametrize("word", ["--source s3://me:secretpw@b/p", "--set out=s3://me:secretpw@b/p"])
def test_a_login_does_not_travel_and_is_not_repeated(word: str) -> None:
    with pytest.raises(ConfigError, match="came with a login") as raised:
        send(f"dataset build -c photos {word}")
    assert "secretpw" not in str(raised.value)


def test_a_login_in_a_configuration_does_not_travel_either(folder: Path) -> None:
    (folder / "team.yaml").write_text("source: {kind: folder, uri: 's3://me:secretpw@b/p'}\nstages: {canny: {}}\n")
    with pytest.raises(ConfigError, match="came with a login") as raised:
        send("dataset build -c team.yaml --out s3://a/b")
    assert "secretpw" not in str(raised.value)
