"""Planted secrets: after a build, a composition and a training none is in any file, output or command line."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from sluice.infra.storage import storage
from tests.faults.servers import S3Server
from tests.flows.conftest import write_pictures
from tests.flows.runs import SLUICE, command_line

JOBS = Path(__file__).parents[2] / "flows" / "configs" / "jobs"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret of the key",
    "AWS_SESSION_TOKEN": "session",
    "HF_TOKEN": "token of the hub",
    "WANDB_API_KEY": "key of a tracker",
}
FILES = {"token of Ray": ".ray/auth_token", "token of metrics": ".config/sluice/metrics_token"}


@dataclass(frozen=True)
class Planted:
    """A home of its own with two tokens in files, and keys and a login in the environment of whatever runs in it."""

    folder: Path
    words: dict[str, str]
    environment: dict[str, str]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *words: str | Path) -> str:
        """What a command of Sluice says; AssertionError where it fails, or while it shows a secret to `ps`."""
        asked = [str(word) for word in (SLUICE, *words)]
        with self.watching():
            done = subprocess.run(asked, capture_output=True, text=True, env=self.environment, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert self.named_in(said.encode()) == []
        return said

    @contextmanager
    def watching(self) -> Iterator[None]:
        """AssertionError at the end, where a process of this machine had a secret in its command line."""
        seen: set[str] = set()
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.2):
                seen.update(command_line(process) for process in psutil.process_iter())

        watcher = threading.Thread(target=watch)
        watcher.start()
        yield
        over.set()
        watcher.join()
        assert any("sluice" in line for line in seen)
        assert self.named_in("\n".join(seen).encode()) == []

    def named_in(self, data: bytes) -> list[str]:
        """Which secrets are in it: as they are, or as a URL or base64 writes them."""
        return [name for name, word in self.words.items() if any(form in data for form in forms(word))]

    def files_with_secrets(self) -> dict[str, list[str]]:
        """Every file under the folder that holds one: where, and which."""
        found = {}
        for file in self.folder.rglob("*"):
            if file.is_file() and (named := self.named_in(file.read_bytes())):
                found[str(file.relative_to(self.folder))] = named
        return found


def forms(word: str) -> list[bytes]:
    """base64 of a longer text has one of three inside, as the word begins at its first, second or third byte."""
    whole = [base64.b64encode(b"." * before + word.encode())[4:-4] for before in range(3)]
    return [word.encode(), quote(word, safe="").encode(), *whole]


@pytest.fixture
def planted(moto_server: S3Server) -> Iterator[Planted]:
    words = {name: secrets.token_hex(32) for name in (*VARIABLES.values(), "login of the index", *FILES)}
    # Ray's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="sluice-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        for name, file in FILES.items():
            (home / file).parent.mkdir(parents=True)
            (home / file).write_text(words[name])
            (home / file).chmod(0o600)
        (Path(folder) / "tmp").mkdir()
        environment = {
            **os.environ,
            **moto_server.environment,
            **{variable: words[name] for variable, name in VARIABLES.items()},
            "PIP_INDEX_URL": f"https://me:{words['login of the index']}@index.invalid/simple",
            "HOME": str(home),
            "TMPDIR": f"{folder}/tmp",
            "RAY_TMPDIR": f"{folder}/tmp",
            "OMP_NUM_THREADS": "1",
        }
        yield Planted(Path(folder), words, environment)


def leaks_in(planted: Planted, bucket: str, server: S3Server) -> dict[str, list[str]]:
    """Which files name a secret, in the bucket and of all that was written here but the tokens' own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        place = storage(bucket)
        stored = {entry.path: planted.named_in(place.read(entry.path)) for entry in place.list()}
    assert stored
    here = planted.files_with_secrets()
    assert {name: here.pop(f"home/{file}", None) for name, file in FILES.items()} == {name: [name] for name in FILES}
    return here | {path: named for path, named in stored.items() if named}


def set_all(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def test_no_secret_is_in_what_a_build_and_a_composition_leave(planted: Planted, moto_server: S3Server) -> None:
    bucket, folder = f"s3://{moto_server.new_bucket()}", planted.folder
    write_pictures(folder / "in", range(4))
    small = set_all("stages={image: {size: 64, min_side: 16}, canny: {}}", "shard_size=4", "workers=1")
    log = ["--log", folder / "log.jsonl"]
    planted.run(*log, "dataset", "build", "--source", folder / "in", "--out", f"{bucket}/out", *small)
    planted.run("compose", JOBS / "unite.yaml", *set_all("steps=2", "seeds=[0]"), "--out", folder / "pictures")
    for written in ("log.jsonl", "pictures/*.json", "home/.prefect/*", "tmp/ray/session_*/logs/*"):
        assert [*folder.glob(written)], written
    assert leaks_in(planted, bucket, moto_server) == {}


@pytest.mark.slow
def test_no_secret_is_in_what_a_training_leaves(planted: Planted, moto_server: S3Server) -> None:
    bucket, folder = f"s3://{moto_server.new_bucket()}", planted.folder
    conditions = "stages={image: {size: 64, min_side: 0}, given: {conditions: [segments, depth, pose]}, canny: {}}"
    made = set_all("name=made", conditions, "source.size=64", "workers=2")
    planted.run("dataset", "build", "--source", "tabletop:24", "--out", folder / "data", *made)
    asked = ["--data", folder / "data/datasets/made", "--out", folder / "trained", "--checkpoints", f"{bucket}/states"]
    short = set_all("base=tabletop", "steps=4", "batch=8", "micro_batch=4", "checkpoint_steps=2", "warm_up=0")
    planted.run("train", "micontrolnet-1", *asked, *short)
    assert [*folder.glob("trained/model/*.safetensors")]
    assert leaks_in(planted, bucket, moto_server) == {}
