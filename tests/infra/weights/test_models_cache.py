"""The cache of weights: too small, shared by processes, read-only."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.infra.weights.download import NoSpace
from sluice.infra.weights.models import find, pull
from sluice.infra.weights.store import UnusableCache, WeightStore
from tests.shelf import NET, PACKAGE, Shelf, leftovers


def test_a_model_larger_than_the_disk_is_refused_before_anything_is_fetched(toy: Shelf) -> None:
    toy.list("toy", PACKAGE | {"package": "never-asked-for"}, size=10**18)
    with pytest.raises(NoSpace, match=r"toy needs .* MB on the disk of .*SLUICE_MODELS"):
        pull("toy")


def test_two_processes_that_pull_at_once_both_find_it(toy: Shelf) -> None:
    code = (
        "import sys; from pathlib import Path; from sluice.infra.weights import catalogue;"
        f"catalogue.CATALOGUE = Path({str(toy.file)!r}); from sluice.infra.weights.models import pull;"
        "assert pull('toy').path.exists()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert leftovers(toy) == []


def test_a_waiting_pull_takes_what_the_other_brought(toy: Shelf) -> None:
    store = WeightStore(toy.cache)
    with ThreadPoolExecutor(1) as pool, store.workplace("toy") as workplace:
        waiting = pool.submit(pull, "toy", str(toy.cache / "no-such-folder"))
        time.sleep(0.1)
        assert not waiting.done()
        (workplace / "net.onnx").write_bytes(NET)
        store.put("toy", workplace / "net.onnx", hashlib.sha256(NET).hexdigest(), "test")
    assert waiting.result().path.read_bytes() == NET


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder that everyone may enter, and the rights of nobody in particular when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    os.seteuid(os.getuid())
    shutil.rmtree(folder)


def test_a_read_only_cache_serves_and_says_that_it_cannot_take(
    toy: Shelf, by_hand: str, ordinary_user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull("toy", by_hand)
    toy.list("other", PACKAGE, NET)
    shared = ordinary_user / "cache"
    shutil.copytree(toy.cache, shared)
    for folder in (shared, *(p for p in shared.rglob("*") if p.is_dir())):
        folder.chmod(0o555)
    monkeypatch.setenv("SLUICE_MODELS", str(shared))
    find("toy")  # reads the catalogue while it may
    if os.getuid() == 0:
        os.seteuid(65534)
    assert find("toy").path.read_bytes() == NET
    with pytest.raises(UnusableCache, match=r"could not take 'other': Permission denied. Set SLUICE_MODELS"):
        pull("other")
    os.seteuid(os.getuid())
    shared.chmod(0o755)
