"""Garbage collection in this process, a build step by step beside it, and what must hold after it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Wish
from sluice.infra.storage import Storage
from sluice.preprocess.planning.build import Build, pending, prepare, read_commits
from sluice.preprocess.planning.plan import store_plan
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import read_version, store_version, version_ids
from tests.flows.operate.conftest import DAY, knob
from tests.preprocess.builds import config_here, export_here, run_scan, run_units

ONE = Wish(newest=1)


def collect(place: Storage, wish: Wish = ONE, delete: bool = True, grace: float = DAY) -> list[Doomed]:
    """What goes, or went."""
    return [each for each in GarbageCollection(wish, grace, delete)(place, ()) if isinstance(each, Doomed)]


def files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def of_stage(paths: Iterable[str], stage: str) -> set[str]:
    return {path for path in paths if path.startswith(f"stages/{stage}/")}


def assert_consistent(place: Storage) -> None:
    """Whatever a reader trusts is whole: every commit has its files, every version verifies."""
    there = {entry.path for entry in place.list()}
    for path in there:
        if path.startswith("stages/") and path.endswith(".json"):
            commit = json.loads(place.read(path))
            folder = path.rpartition("/")[0]
            assert {f"{folder}/{commit['file']}", f"{folder}/{commit['sidecar']}"} <= there
    for id_ in version_ids(place, "small"):
        assert verify(place, read_version(place, "small", id_)) == []


def begun(folder: Path, low: float) -> Build:
    """A build that is planned; nothing of it has run."""
    build = prepare(config_here(folder, stages=knob(low)), run_scan)
    store_plan(build.storage, build.plan_prefix, build.layout)
    return build


def left(build: Build) -> Iterator[tuple[object, object]]:
    return pending(build, read_commits(build), build.plan.shards, False)


def steps(folder: Path, low: float) -> Iterator[str]:
    """A build of a knob, step by step, as `build_here` takes them; yields the names of units, at last the version."""
    build = begun(folder, low)
    units = list(left(build))
    yield "planned"
    for unit in units:
        run_units(build, [unit])
        yield f"{unit[0].name}"
    version, made = make_manifest(build, read_commits(build), build.plan.shards)
    made["README.md"] = dataset_card(version).encode()
    made["export.json"] = export_here(build, version, made["shards.parquet"])
    yield "merged"
    store_version(build.storage, version, made)
    yield version.id
