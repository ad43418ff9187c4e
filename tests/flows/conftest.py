"""A local Ray of four slots for all tests of flows, plugins that workers find, pictures, and builds in this process."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from sluice.flows.cli import main
from sluice.flows.dataset import commands
from sluice.flows.dataset.flow import build_dataset
from sluice.flows.dataset.indexing import scan_runner
from sluice.flows.session import ray_session
from sluice.infra.local import TEMPORARY
from sluice.preprocess.planning import registry
from sluice.preprocess.planning.build import Build, prepare
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import Version
from sluice.training.tabletop.family import family
from tests.faults.servers import S3Server
from tests.flows.command_line import Said, Sluice

PLUGINS = Path(__file__).parents[1] / "plugins"
THIN = {"image": {"size": 64, "min_side": 16}, "canny": {}, "depth": {"model": "cue"}}


@pytest.fixture(scope="session", autouse=True)
def plugins() -> Iterator[None]:
    """Workers (and subprocesses) find the stages of tests/plugins, as they would find an installed package's."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(PLUGINS))
    registry._found.cache_clear()  # an earlier test may have looked
    patch.setenv("PYTHONPATH", str(PLUGINS), prepend=os.pathsep)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def credentials() -> Iterator[None]:
    """Ray's workers have the keys to our S3 servers from their environment, as a user's have; never from a pickle."""
    patch = pytest.MonkeyPatch()
    for name, value in S3Server("any", "").environment.items():
        if name != "AWS_ENDPOINT_URL":
            patch.setenv(name, value)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def ray4(plugins: None, credentials: None) -> Iterator[None]:  # noqa: ARG001
    """One local Ray of four slots, started once."""
    with ray_session(None, 4):
        yield


def picture(seed: int, size: int = 80) -> np.ndarray:
    """A picture that no other seed gives: coarse colours, smoothly enlarged."""
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (size * 5 // 4, size), interpolation=cv2.INTER_CUBIC)


def write_pictures(folder: Path, seeds: range | list[int], size: int = 80) -> None:
    """Pictures `00000.jpg` and so on, each with a caption."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        cv2.imwrite(str(folder / f"{seed:05}.jpg"), picture(seed, size))
        (folder / f"{seed:05}.txt").write_text(f"picture {seed}")


def config_for(source: Path | str | dict[str, Any], out: Path | str, **values: Any) -> DatasetConfig:
    """A small configuration of cheap stages; `values` override it, and `source` is a folder or says its kind."""
    origin = source if isinstance(source, dict) else {"kind": "folder", "uri": str(source)}
    plain = {"name": "made", "source": origin, "out": str(out), "stages": THIN}
    return DatasetConfig.model_validate({**plain, "shard_size": 10, **values})


@pytest.fixture(scope="session")
def build(ray4: None) -> Callable[..., tuple[Build, Version, str]]:  # noqa: ARG001
    """`build(config, **options)`: a whole build in this process; the build, its version, and what it printed."""

    def run(
        config: DatasetConfig, prune: bool = False, retry: bool = False, **options: Any
    ) -> tuple[Build, Version, str]:
        said = io.StringIO()
        prepared = prepare(config, scan_runner(config), prune, retry)
        version = build_dataset(prepared, Console(file=said, width=200), retry, **options)
        return prepared, version, said.getvalue()

    return run


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of every part as it is initialised."""
    models = tmp_path_factory.mktemp("untrained")
    torch.manual_seed(0)
    for part in family(models).values():
        part.save(part.network(models), models)
    return models


def tree(out: Path) -> dict[str, str]:
    """Path -> SHA-256 of everything whose bytes are promised: stage tars, sidecars, versions with all their files."""
    return {
        str(path.relative_to(out)): hashlib.sha256(promised(path, path.read_bytes())).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and is_promised(path.relative_to(out))
    }


def promised(path: PurePath, data: bytes) -> bytes:
    """What a file says; of an alias what it points to, and not what it pointed to before."""
    return str(json.loads(data)["version"]).encode() if path.parent.name == "aliases" else data


def is_promised(path: PurePath) -> bool:
    """Not so: the plan and the index, a run's page, commits (which hold timings), and what a killed run had in hand."""
    if path.name.startswith(TEMPORARY):
        return False
    if path.parts[0] == "stages":
        return path.suffix in (".tar", ".parquet") and "chunks" not in path.parts
    return path.parts[0] == "datasets" and path.parts[2] not in ("plan", "run")


@pytest.fixture
def signals() -> Iterator[None]:
    """What `main` does to this process's signals ends with the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def sluice(signals: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sluice:  # noqa: ARG001
    """`sluice("dataset", "plan", ...)` in this process."""
    monkeypatch.setenv("SLUICE_DEBUG", "")
    monkeypatch.setenv("COLUMNS", "200")
    # Who imported it first, a worker of pytest-xdist with its eighty columns maybe, gave it a width for good.
    monkeypatch.setattr(commands.console, "_width", 200)
    # Prefect's log handler keeps the stderr of the test in which it was made.
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def run(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["sluice", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run
