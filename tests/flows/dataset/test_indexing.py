"""Reading an index: in this process what is read alone, in workers what is decoded, which may kill them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sluice.flows.dataset.indexing import FEW_BUNDLES, scan_runner
from sluice.infra.execution.placement import ExecutionError
from sluice.preprocess.sources import Item, SourceError
from sluice.preprocess.version.manifest import table_rows
from tests.flows.conftest import config_for

Read = Callable[[list[Item]], None]


def bundles_of_one(count: int) -> list[list[Item]]:
    return [[Item(f"{number:02}.jpg", 0, "1")] for number in range(count)]


def noting(folder: Path, seconds: float = 0.0) -> Read:
    """Leaves a file for each bundle: who read it, from when to when."""

    def read(items: list[Item]) -> None:
        began = time.time()
        time.sleep(seconds)
        (folder / f"{items[0].uri}.noted").write_text(f"{os.getpid()} {began} {time.time()}")

    return read


def noted(folder: Path) -> list[tuple[int, float, float]]:
    said = (path.read_text().split() for path in sorted(folder.glob("*.noted")))
    return [(int(process), float(began), float(over)) for process, began, over in said]


@pytest.mark.parametrize(
    ("kind", "changes", "here"),
    [
        ("folder", {}, True),
        ("folder", {"near_duplicates": 4}, False),
        ("multigen", {}, False),
        ("coco_stuff", {}, False),
    ],
)
@pytest.mark.usefixtures("ray4")
def test_what_is_decoded_is_decoded_by_a_worker(kind: str, changes: dict[str, Any], here: bool, tmp_path: Path) -> None:
    config = config_for({"kind": kind, "uri": str(tmp_path)}, tmp_path / "out", workers=1, **changes)
    scan_runner(config)(noting(tmp_path), bundles_of_one(1))
    ((process, _, _),) = noted(tmp_path)
    assert (process == os.getpid()) is here


@pytest.mark.usefixtures("ray4")
def test_many_bundles_are_read_by_as_many_workers_as_there_may_be(tmp_path: Path) -> None:
    count = FEW_BUNDLES + 1
    scan_runner(config_for(tmp_path, tmp_path / "out", workers=1))(noting(tmp_path, 0.02), bundles_of_one(count))
    spans = sorted((began, over) for _, began, over in noted(tmp_path))
    assert len(spans) == count
    assert all(over <= next_ for (_, over), (next_, _) in pairwise(spans))


@pytest.mark.usefixtures("ray4")
def test_a_sources_error_in_a_worker_is_said_in_its_own_words(tmp_path: Path) -> None:
    def refuse(items: list[Item]) -> None:  # noqa: ARG001
        raise SourceError("the captions are not json")

    config = config_for({"kind": "coco_stuff", "uri": str(tmp_path)}, tmp_path / "out", workers=1)
    with pytest.raises(ExecutionError) as caught:
        scan_runner(config)(refuse, [[Item("a.jpg", 0, "1"), Item("b.jpg", 0, "1")]])
    assert str(caught.value) == "index/a.jpg..b.jpg failed: SourceError: the captions are not json"


def test_a_picture_that_kills_who_indexes_it_is_found_and_the_others_are_kept(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    stages = {"image": {"size": 32, "min_side": 16}}
    source = {"kind": "deadly", "uri": "none", "images": 4}
    config = config_for(source, tmp_path / "out", stages=stages, max_failures=0.5, workers=1)
    prepared, version, _ = build(config)
    assert version.manifest["counts"]["records"] == 3
    (entry,) = list(table_rows(prepared.storage, version, "quarantine.parquet"))
    assert entry["uri"] == "colour-2"
    assert entry["reason"].startswith("reading 'colour-2' for the index killed its worker each time it was tried")
    parts = list((tmp_path / "out/index").rglob("part-*.parquet"))
    assert len(parts) == 3, "of two pictures, of the killer, and of the other"
