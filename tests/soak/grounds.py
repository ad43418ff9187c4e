"""Where flows are disturbed: a disk that can be filled, an S3 server behind a proxy that misbehaves, inputs."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from sluice.infra.storage import storage
from tests.faults.proxy import FaultProxy
from tests.faults.servers import rclone
from tests.flows.conftest import PLUGINS, write_pictures
from tests.flows.runs import Command

DISK_MB = 512
PICTURES = 48
SHARD = 16
STAGES = {"image": {"size": 64, "min_side": 16}, "canny": {}, "patient": {"seconds": 0.2}}
DATASET = {"name": "made", "source": {"kind": "folder"}, "stages": STAGES, "workers": 2, "shard_size": SHARD}
GUIDED = {"kind": "guided", "model": {"kind": "base", "model": "tabletop"}}
JOB = {"prompts": ["a red star"], "seeds": [0], "steps": 20, "batch": 2, "picture": {"kind": "ddim", "of": GUIDED}}
ROWS = 8


@dataclass(frozen=True)
class Place:
    """Of one run: inputs on the disk and in the bucket, and an empty output in both."""

    inputs: Path
    remote_inputs: str
    out: Path
    remote: str

    @property
    def outs(self) -> tuple[str, str]:
        """Both outputs' URIs."""
        return str(self.out), self.remote


@dataclass(frozen=True)
class Grounds:
    """`disk` is full when it is filled; where nothing could be mounted it is as large as the machine's own."""

    folder: Path
    disk: Path
    small: bool
    proxy: FaultProxy
    bucket: str
    started: list[Command] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What commands get: the server through the proxy, nothing of the user's own Prefect, one thread."""
        return {
            **self.proxy.environment,
            "PYTHONPATH": str(PLUGINS),
            "TMPDIR": str(self.disk),
            "RAY_TMPDIR": tempfile.gettempdir(),  # its logs are no output, and its sockets want short paths
            "PREFECT_HOME": str(self.folder / "prefect"),
            "OMP_NUM_THREADS": "1",
        }

    def place(self, number: int, name: str) -> Place:
        """For a run by that name on the inputs of a number."""
        inputs = self.folder / f"inputs-{number}"
        return Place(inputs, f"{self.bucket}/inputs-{number}", self.disk / name, f"{self.bucket}/{name}")

    def start(self, words: list[str]) -> Command:
        """`sluice` with these words."""
        self.started.append(Command(words, self.folder, self.environment))
        return self.started[-1]

    def clear(self) -> None:
        """End whatever is left of all commands."""
        for command in self.started:
            command.clear()


@contextmanager
def grounds(folder: Path, inputs: int) -> Iterator[Grounds]:
    """Servers, disk and so many sets of inputs, gone with the block; this process reaches S3 past the proxy."""
    (folder / "s3").mkdir()
    (folder / "disk").mkdir()
    with ExitStack() as ends:
        server = ends.enter_context(rclone(folder / "s3"))
        patch = ends.enter_context(pytest.MonkeyPatch.context())
        for name, value in server.environment.items():
            patch.setenv(name, value)
        proxy = FaultProxy(server)
        ends.callback(proxy.close)
        small = ends.enter_context(_mounted(folder / "disk"))
        made = Grounds(folder, folder / "disk", small, proxy, f"s3://{server.new_bucket()}")
        ends.callback(made.clear)
        for number in range(inputs):
            _write_inputs(made.place(number, ""), number)
        yield made


@contextmanager
def _mounted(folder: Path) -> Iterator[bool]:
    """A small disk in memory at a folder, where this user may mount one (in `unshare -Urm`, anyone may)."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield mounted
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # what a killed run left may still hold it


def _write_inputs(place: Place, number: int) -> None:
    """Pictures that no other number has, here and in the bucket; a data set's configuration; a job and its table."""
    pictures = place.inputs / "pictures"
    write_pictures(pictures, range(1000 * number, 1000 * number + PICTURES))
    for file in sorted(pictures.iterdir()):
        storage(place.remote_inputs).write(f"pictures/{file.name}", file.read_bytes())
    (place.inputs / "dataset.yaml").write_text(yaml.safe_dump(DATASET))
    (place.inputs / "job.yaml").write_text(yaml.safe_dump(JOB))
    rows = [f"a red star,{1000 * number + row}" for row in range(ROWS)]
    (place.inputs / "table.csv").write_text("\n".join(["prompt,seed", *rows, ""]))
