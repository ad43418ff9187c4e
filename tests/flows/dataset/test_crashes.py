"""Workers that die: at random moments, and of the same image each time."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.shards import read_shard
from sluice.preprocess.units.work import CHUNK
from sluice.preprocess.version.manifest import table_rows
from tests.flows.conftest import config_for, tree, write_pictures
from tests.flows.runs import SHARD, Journal, assert_nothing_half, patient_config, wait_until, working

Builder = Callable[..., Any]


class Deaths(logging.Handler):
    """Hears of every dead worker from the dispatcher itself: Prefect, when first imported, empties the root logger."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "the worker of" in record.getMessage():
            self.messages.append(record.getMessage())


@pytest.fixture
def deaths() -> Iterator[list[str]]:
    """What the dispatcher says of workers that died."""
    handler = Deaths()
    logging.getLogger("sluice.execute").addHandler(handler)
    yield handler.messages
    logging.getLogger("sluice.execute").removeHandler(handler)


@contextmanager
def killing_workers(moments: list[int], journal: Journal, draw: random.Random) -> Iterator[list[str]]:
    """SIGKILL to one of the workers at work each time so many images were run; the list says what was done."""
    done: list[str] = []
    over = threading.Event()

    def kill() -> None:
        for moment in moments:
            for _ in wait_until(lambda moment=moment: over.is_set() or len(journal.keys) >= moment, 300, done):
                pass
            for _ in wait_until(lambda: over.is_set() or bool(working()), 60, done):
                pass
            if over.is_set():
                return
            victim = draw.choice(working())
            victim.kill()
            done.append(f"killed {victim.pid} after {len(journal.keys)} images")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield done
    finally:
        over.set()
        killer.join()
        print("\n".join(done))


def test_a_killed_worker_costs_the_chunk_in_its_hand_and_no_byte(
    build: Builder, tmp_path: Path, deaths: list[str]
) -> None:
    journal = Journal(tmp_path / "journal")
    build(patient_config(tmp_path, 0.03, "undisturbed"))
    journal.begin()
    # Late enough that each worker has put whole chunks away.
    moment = random.Random(0).randrange(3 * CHUNK, 2 * SHARD - 8)
    with killing_workers([moment], journal, random.Random(1)) as killed:
        build(patient_config(tmp_path, 0.03))
    assert len(killed) == len(deaths) == 1
    assert journal.redone <= CHUNK
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


@pytest.mark.slow
def test_ten_workers_killed_at_random_moments(build: Builder, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    images, large = 5 * SHARD, {"shards": 5, "shard_size": 160}  # so large that workers share a shard in stretches
    build(patient_config(tmp_path, 0.02, "undisturbed", **large))
    whole = tree(tmp_path / "undisturbed")
    journal.begin()
    draw = random.Random(20)
    moments = sorted(draw.randrange(images) for _ in range(10))
    with killing_workers(moments, journal, draw) as killed:
        build(patient_config(tmp_path, 0.02, **large))
    assert len(killed) >= 8, "towards the end there may be nobody left to kill"
    assert journal.redone <= CHUNK * len(killed)
    assert_nothing_half(tmp_path / "out", whole)
    assert tree(tmp_path / "out") == whole


def poison(folder: Path, count: int, place: int) -> None:
    write_pictures(folder, range(count))
    (folder / f"{place:05}.txt").write_text("poison")


def poison_config(folder: Path, shard_size: int) -> DatasetConfig:
    stages = {"image": {"size": 64, "min_side": 16}, "poison": {}}
    return config_for(folder / "in", folder / "out", stages=stages, shard_size=shard_size, max_failures=1.0)


def test_the_image_that_kills_its_worker_is_found_and_the_others_are_kept(
    build: Builder, tmp_path: Path, deaths: list[str]
) -> None:
    poison(tmp_path / "in", 40, 17)
    prepared, version, _ = build(poison_config(tmp_path, 8))
    assert len(deaths) == 2 + 1 + 1 + 2, "of the shard twice, of its half, of its quarter, of the image twice"
    (entry,) = list(table_rows(prepared.storage, version, "quarantine.parquet"))
    assert (entry["uri"], entry["stage"], entry["kind"]) == ("00017.jpg", "poison", "failed")
    assert entry["reason"] == "the image killed its worker each time it was tried"
    assert version.manifest["counts"] | {"records": 39, "quarantined": 1} == version.manifest["counts"]
    tars = sorted((tmp_path / "out" / version.prefix).glob("*.tar"))
    keys = {key for tar in tars for key, _ in read_shard(tar.open("rb"))}
    assert len(keys) == 39
    assert entry["key"] not in keys


@pytest.mark.parametrize(("images", "dead"), [(1, 2), pytest.param(2, 4, marks=pytest.mark.slow)])
def test_a_retry_of_a_killer_comes_to_an_end(
    images: int, dead: int, build: Builder, tmp_path: Path, deaths: list[str]
) -> None:
    poison(tmp_path / "in", images, 0)
    _, first, _ = build(poison_config(tmp_path, images))
    assert len(deaths) == dead
    _, second, _ = build(poison_config(tmp_path, images), retry=True)
    assert len(deaths) == 2 * dead
    assert second.id == first.id
    assert second.manifest["counts"]["quarantined"] == 1


@pytest.mark.parametrize(("first", "step"), [(3, 13), pytest.param(0, 1, marks=pytest.mark.slow)])
def test_a_build_killed_before_any_file_operation_leaves_nothing_half(first: int, step: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.flows.dataset.dying_builds", str(tmp_path), str(first), str(step)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kills = int(done.stdout.split()[0])
    assert kills >= 100 // step, done.stdout
