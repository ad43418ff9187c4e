"""What each command shows and leaves: no planted secret, and no port that others reach."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from sluice.infra.storage import storage
from tests.faults.servers import S3Server
from tests.flows.conftest import write_pictures
from tests.security.watched import Watched

pytestmark = pytest.mark.slow
JOBS = Path(__file__).parents[2] / "flows" / "configs" / "jobs"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret of the key",
    "AWS_SESSION_TOKEN": "session",
    "HF_TOKEN": "token of the hub",
    "WANDB_API_KEY": "key of a tracker",
}
FILES = {"token of Ray": ".ray/auth_token", "token of metrics": ".config/sluice/metrics_token"}


@contextmanager
def planted(server: S3Server) -> Iterator[Watched]:
    """Keys and a login in the environment, two tokens in files; server and settings as a user has them."""
    words = {name: secrets.token_hex(32) for name in (*VARIABLES.values(), "login of the index", *FILES)}
    # Ray's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="sluice-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        for name, file in FILES.items():
            own = Path(folder) / "home" / file
            own.parent.mkdir(parents=True)
            own.write_text(words[name])
            own.chmod(0o600)
        (Path(folder) / "tmp").mkdir()
        environment = {
            **os.environ,
            **server.environment,
            **{variable: words[name] for variable, name in VARIABLES.items()},
            "PIP_INDEX_URL": f"https://me:{words['login of the index']}@index.invalid/simple",
            "HOME": f"{folder}/home",
            "TMPDIR": f"{folder}/tmp",
            "RAY_TMPDIR": f"{folder}/tmp",
            "OMP_NUM_THREADS": "1",
        }
        yield Watched(Path(folder), words, environment)


def set_all(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module")
def bucket(moto_server: S3Server) -> str:
    return f"s3://{moto_server.new_bucket()}"


@pytest.fixture(scope="module")
def ran(moto_server: S3Server, bucket: str) -> Iterator[Watched]:
    """A build into a bucket, over Ray and Prefect, with a log, what is said of it, a composition and an evaluation."""
    with planted(moto_server) as watched:
        folder = watched.folder
        write_pictures(folder / "in", range(4))
        small = set_all("stages={image: {size: 64, min_side: 16}, canny: {}}", "shard_size=4", "workers=1")
        build = ["dataset", "build", "--source", folder / "in", "--out", f"{bucket}/out", *small]
        watched.run("--log", folder / "log.jsonl", *build)
        watched.run("compose", JOBS / "unite.yaml", *set_all("steps=2", "seeds=[0]"), "--out", folder / "pictures")
        watched.run("status", f"{bucket}/out")
        watched.run("gc", f"{bucket}/out")
        few = ["--scenes", "2", "--seeds", "1", "--steps", "1", "--workers", "1"]
        watched.run("evaluate", "--protocol", "unite", *few, "--place", folder / "place", "--out", folder / "results")
        yield watched


def assert_no_secret(watched: Watched, bucket: str, server: S3Server) -> None:
    """Neither in what was said and in command lines, nor in a file or object but the tokens' own."""
    assert watched.named_in(watched.said.encode()) == []
    assert any("sluice" in line for line in watched.commands)
    assert watched.named_in("\n".join(watched.commands).encode()) == []
    assert watched.files_with_secrets() == {f"home/{file}": [name] for name, file in FILES.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        place = storage(bucket)
        stored = {entry.path: watched.named_in(place.read(entry.path)) for entry in place.list()}
    assert stored
    assert {path: named for path, named in stored.items() if named} == {}


def assert_loopback(watched: Watched) -> None:
    assert watched.listening
    reached = [(name, ip) for name, ip in watched.listening if not ip_address(ip.removeprefix("::ffff:")).is_loopback]
    assert reached == []


def test_no_secret_is_in_what_commands_leave(ran: Watched, bucket: str, moto_server: S3Server) -> None:
    pictures = "pictures/*.json", "place/pictures/*.json"
    for written in ("log.jsonl", *pictures, "results/unite.json", "home/.prefect/*", "tmp/ray/session_*/logs/*"):
        assert [*ran.folder.glob(written)], written
    assert_no_secret(ran, bucket, moto_server)


def test_whatever_listens_meanwhile_is_reached_by_this_machine_alone(ran: Watched) -> None:
    assert {"gcs_server", "raylet"} <= {name for name, _ in ran.listening}
    assert_loopback(ran)


def test_a_secret_is_found_however_it_is_written(ran: Watched) -> None:
    word = ran.words["login of the index"]
    for text in (word, f"me:{word}", f"you:{word}", f"them:{word}"):
        assert ran.named_in(b"before " + base64.b64encode(text.encode())) == ["login of the index"]
    assert ran.named_in(b"nothing") == []


def test_a_training_leaves_no_secret_and_listens_to_this_machine_alone(moto_server: S3Server) -> None:
    bucket = f"s3://{moto_server.new_bucket()}"
    conditions = "stages={image: {size: 64, min_side: 0}, given: {conditions: [segments, depth, pose]}, canny: {}}"
    made = set_all("name=made", conditions, "source.size=64", "workers=2")
    short = set_all("base=tabletop", "steps=4", "batch=8", "micro_batch=4", "checkpoint_steps=2", "warm_up=0")
    with planted(moto_server) as watched:
        folder = watched.folder
        watched.run("dataset", "build", "--source", "tabletop:24", "--out", folder / "data", *made)
        watched.listening.clear()
        place = ["--out", folder / "trained", "--checkpoints", f"{bucket}/states"]
        watched.run("train", "micontrolnet-1", "--data", folder / "data/datasets/made", *place, *short)
        assert [*folder.glob("trained/model/*.safetensors")]
        assert_no_secret(watched, bucket, moto_server)
        assert_loopback(watched)
