"""The command line, ended from outside at any moment: what is visible is whole, and the same command goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.units.work import CHUNK
from tests.flows.conftest import config_for, tree, write_pictures
from tests.flows.runs import (
    RAY_AGENTS,
    SHARD,
    Driver,
    Journal,
    assert_nothing_half,
    patient_config,
    wait_until,
    working,
)

WORKERS = 2
SECONDS = 0.06
INTERRUPTED = 130
Start = Callable[[], Driver]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all these tests: a manifest names its source."""
    return tmp_path_factory.mktemp("driven")


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal(folder / "journal")


@pytest.fixture
def undisturbed(build: Callable[..., Any], folder: Path, journal: Journal) -> dict[str, str]:
    """The tree of a build that nobody disturbed; `out` and the journal are empty."""
    build(patient_config(folder, SECONDS, "undisturbed"))
    shutil.rmtree(folder / "out", ignore_errors=True)
    journal.begin()
    return tree(folder / "undisturbed")


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Driver]]:
    """Starts the command line; whatever it leaves behind is ended with the test."""
    drivers: list[Driver] = []

    def run() -> Driver:
        drivers.append(Driver(patient_config(folder, SECONDS), folder))
        return drivers[-1]

    yield run
    for driver in drivers:
        driver.clear()


def moment(seed: int, folder: Path, journal: Journal, files: int) -> tuple[str, Callable[[], bool]]:
    """A random moment of a run: after so many images, or (every other seed) after so many files under `out`."""
    draw = random.Random(seed)
    if seed % 2:
        count = draw.randrange(files)
        return f"{count} files", lambda: sum(path.is_file() for path in (folder / "out").rglob("*")) >= count
    # Past a chunk of each worker: without chunks, more than these would be run again.
    images = draw.randrange(2 * CHUNK + 8, 2 * SHARD - 16)
    return f"{images} images", lambda: len(journal.keys) >= images


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11))
def test_a_killed_driver_leaves_nothing_half_and_its_next_run_redoes_a_chunk_a_worker(
    seed: int, start: Start, undisturbed: dict[str, str], folder: Path, journal: Journal
) -> None:
    killed = start()
    name, reached = moment(seed, folder, journal, len(undisturbed) + 8)
    cut = killed.until(reached)
    killed.kill()
    print(f"seed {seed}: killed after {name}" if cut else f"seed {seed}: done before {name}")
    assert_nothing_half(folder / "out", undisturbed)
    assert cut or tree(folder / "out") == undisturbed
    code, said = start().end()
    assert code == 0, said
    assert journal.redone <= WORKERS * CHUNK
    assert tree(folder / "out") == undisturbed
    if seed == 0:
        assert killed.left_behind(10, but=RAY_AGENTS) == []
    else:
        assert killed.left_behind(120) == []


@pytest.mark.slow
def test_ctrl_c_and_sigterm_end_a_run_at_once_in_words_and_it_goes_on_from_there(
    start: Start, build: Callable[..., Any], undisturbed: dict[str, str], folder: Path, journal: Journal
) -> None:
    for images, end in ((20, Driver.press_ctrl_c), (CHUNK + 20, Driver.terminate)):
        driver = start()
        assert driver.until(lambda images=images: len(set(journal.keys)) >= images), driver.end()
        end(driver)
        code, said = driver.end(20)
        assert code == INTERRUPTED, said
        assert said.endswith("Interrupted. What is done is kept: the same command goes on from there.\n")
        assert "Traceback" not in said
        assert driver.left_behind(10, but=RAY_AGENTS) == []
        assert_nothing_half(folder / "out", undisturbed)
    build(patient_config(folder, SECONDS))
    assert journal.redone <= 2 * WORKERS * CHUNK
    assert tree(folder / "out") == undisturbed


DEAF = """
import gc, os, signal, sys, threading
from sluice.flows.cli import main

def deaf(phase, info):  # what the collector calls goes no further with its exceptions
    ray = sys.modules.get("ray")
    if threading.current_thread() is threading.main_thread() and getattr(ray, "is_initialized", bool)():
        gc.callbacks.remove(deaf)
        os.kill(os.getpid(), signal.SIGINT)

gc.callbacks.append(deaf)
main()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("signals")
def test_a_ctrl_c_that_a_library_swallows_ends_the_run_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "patient.yaml"
    file.write_text(yaml.safe_dump(patient_config(tmp_path, 0.3).model_dump(mode="json")))
    command = [sys.executable, "-c", DEAF, "dataset", "build", "--config", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == INTERRUPTED, ran.stderr
    assert "Exception ignored" in ran.stderr
    assert ran.stderr.rstrip().endswith("the same command goes on from there.")
    assert list((tmp_path / "out").rglob("manifest.json")) == []


@pytest.mark.usefixtures("signals")
def test_ctrl_c_does_not_wait_for_what_runs(build: Callable[..., Any], tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(2))

    def config(seconds: float) -> DatasetConfig:
        stages = {"image": {"size": 32, "min_side": 16}, "patient": {"seconds": seconds}}
        return config_for(tmp_path / "in", tmp_path / f"out{seconds}", stages=stages)

    def interrupt() -> None:
        for _ in wait_until(lambda: bool(working()), 60, "a worker at work"):
            pass
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGINT)

    build(config(0))  # Prefect takes its time to start, once
    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        build(config(20))
    assert time.monotonic() - began < 20


@pytest.mark.slow
@pytest.mark.parametrize("end", [Driver.press_ctrl_c, Driver.terminate])
@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
def test_ctrl_c_and_sigterm_are_heard_from_the_first_moments_on(
    seconds: float, end: Callable[[Driver], None], start: Start, undisturbed: dict[str, str], folder: Path
) -> None:
    driver = start()
    time.sleep(seconds)
    end(driver)
    code, said = driver.end(60)
    assert code == INTERRUPTED, said
    assert "Traceback" not in said
    assert driver.left_behind(10, but=RAY_AGENTS) == []
    assert_nothing_half(folder / "out", undisturbed)


@pytest.mark.slow
def test_two_drivers_at_once_end_with_one_right_version(
    start: Start, undisturbed: dict[str, str], folder: Path
) -> None:
    drivers = [start(), start()]
    ends = [driver.end() for driver in drivers]
    assert [code for code, _ in ends] == [0, 0], ends
    assert len({said.splitlines()[-1] for _, said in ends}) == 1, "both name the same version"
    assert_nothing_half(folder / "out", undisturbed)
    assert tree(folder / "out") == undisturbed
