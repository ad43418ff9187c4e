"""`python -m tests.benchmarks.large_steps STEP FOLDER`: one step on a large data set, its seconds and its memory.

A process of its own, whose peak tells what the step took.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Wish
from sluice.flows.operate.status import status as status_of
from sluice.flows.prefect_server import prefect_server
from sluice.flows.stage_flow import run_stage_flow
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.infra.s3.bucket import S3Storage
from sluice.infra.storage import storage
from sluice.preprocess.planning.build import Build, pending, prepare, read_commits
from sluice.preprocess.planning.index import scan
from sluice.preprocess.planning.plan import store_plan
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.sources import Item, SourceConfig
from sluice.preprocess.sources.folder import Folder
from sluice.preprocess.sources.webdataset import WebDataset
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import store_version
from tests.benchmarks.large import add_tars, commit_units, config_of
from tests.benchmarks.photographs import photographs
from tests.faults.proxy import FaultProxy, nothing
from tests.faults.servers import rclone

LEFT = 3
"""Shards that a resumed build still has to make."""
DAY = 86400.0
PHOTOGRAPHS = 200


class Clock:
    """What was measured so far."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        wall, processor = time.monotonic(), time.process_time()
        yield
        self.told[f"{what}, s"] = round(time.monotonic() - wall, 2)
        self.told[f"{what}, CPU s"] = round(time.process_time() - processor, 2)


def refuse(_: Callable[[list[Item]], Any], bundles: list[list[Item]]) -> None:
    raise RuntimeError(f"{len(bundles)} bundles would be read, and their images are not there")


def planned(folder: Path, clock: Clock) -> Build:
    with clock("plan"):
        return prepare(config_of(folder), refuse)


def plan(folder: Path, clock: Clock) -> None:
    """A plan from a finished index, or from what changed since; its rows are written too."""
    build = planned(folder, clock)
    with clock("rows"):
        store_plan(build.storage, build.plan_prefix, build.layout)
    clock.told |= {"shards": len(build.plan.shards), "records": build.plan.records, "images": build.plan.images}


def commit(folder: Path, clock: Clock) -> None:
    """Commits of all units but a few shards'."""
    build = planned(folder, clock)
    with clock("commit"):
        commit_units(build, LEFT)


def resume(folder: Path, clock: Clock) -> None:
    """What is left of a build of which all but a few shards are there."""
    build = planned(folder, clock)
    with clock("commits"):
        commits = read_commits(build)
    with clock("pending"):
        left = list(pending(build, commits, build.plan.shards, False))
    clock.told |= {"units left": len(left), "commits": sum(map(len, commits.values()))}


def finish(folder: Path, clock: Clock) -> None:
    """The version that the commits make; the shards that are left are not of it."""
    build = planned(folder, clock)
    with clock("commits"):
        commits = read_commits(build)
    with clock("manifest"):
        version, files = make_manifest(build, commits, build.plan.shards[:-LEFT])
    with clock("store"):
        store_version(build.storage, version, files)


def status(folder: Path, clock: Clock) -> None:
    """What `sluice status` reads of a place."""
    with clock("status"):
        status_of(storage(config_of(folder).out), (), ())


def gc(folder: Path, clock: Clock) -> None:
    """Garbage collection, dry: what is there is all needed."""
    with clock("gc"):
        clock.told["groups"] = len(
            list(GarbageCollection(Wish(newest=1), DAY, False)(storage(config_of(folder).out), ()))
        )


def more(folder: Path, clock: Clock) -> None:
    """One tar more."""
    with clock("tar"):
        add_tars(folder, len(list((folder / "tars").iterdir())), 1)


def s3(folder: Path, clock: Clock) -> None:
    """The requests that listing a stage's outputs, and an unchanged plan, take of a server over the same files."""
    with rclone(folder) as server:
        proxy = FaultProxy(server)
        os.environ.update(proxy.environment)
        place = S3Storage("out", timeout_s=600)
        prefix = next(f"stages/image/{name}/" for name in place.folders("stages/image"))
        with proxy.dealing(nothing), clock("listing"):
            clock.told["files listed"] = sum(1 for _ in place.list(prefix))
        clock.told["requests to list"] = proxy.requests
        config = config_of(folder)
        with proxy.dealing(nothing), clock("plan"):
            prepare(config.model_copy(update={"out": place.uri}), refuse)
        clock.told["requests to plan, unchanged"] = proxy.requests
        clock.told["parts of the index"] = len(list((folder / "tars").iterdir()))
        proxy.close()


def prefect(folder: Path, clock: Clock) -> None:
    """What Prefect's database holds after a flow over the units of a build, each of which is done at once."""
    build = planned(folder, clock)
    units = [Unit(f"{node.name}/{shard.id}", node.name, None) for node in build.nodes for shard in build.plan.shards]
    with TemporaryDirectory() as home:
        os.environ["PREFECT_HOME"] = home
        with prefect_server():
            with clock("flow"):
                run_stage_flow("sluice-dataset", "large", cast(Dispatcher, Done()), units, lambda: None)
            rows = _settled(Path(home) / "prefect.db")
        files = Path(home).glob("prefect.db*")
        clock.told |= {"units": len(units), "database MB": round(sum(f.stat().st_size for f in files) / 1e6, 1)}
        clock.told["rows"] = {name: count for name, count in sorted(rows.items()) if count}


def _settled(file: Path) -> dict[str, int]:
    """The rows of every table of Prefect's, which its server writes a while after things happened."""
    before: dict[str, int] = {}
    for _ in range(30):
        time.sleep(10)
        with sqlite3.connect(file) as database:
            names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            rows = {name: int(database.execute(f"select count(*) from '{name}'").fetchone()[0]) for name in names}
        if rows == before:
            break
        before = rows
    return before


class Done:
    """A dispatcher whose units are done."""

    def wait(self, names: Sequence[str]) -> None:
        """They are."""

    def stop(self, error: BaseException) -> None:
        """Nothing runs."""


def indexing(folder: Path, clock: Clock) -> None:
    """Photographs of 100 kB read for the index, from a folder and from a tar, by one thread."""
    photos = photographs(PHOTOGRAPHS)
    tars = folder / "photographs"
    tars.mkdir(exist_ok=True)
    with tarfile.open(tars / "0.tar", "w") as tar:
        for path in sorted(photos.iterdir()):
            tar.add(path, path.name)
    for source in (Folder(SourceConfig(uri=str(photos))), WebDataset(SourceConfig(uri=str(tars)))):
        items = list(source.items())
        for looks in (False, True):
            began = time.process_time()
            scan(source, items, looks, Removed())
            rate = PHOTOGRAPHS / (time.process_time() - began)
            clock.told[f"{source.kind}{', perceptual hashes' if looks else ''}, images/s"] = round(rate)


STEPS: dict[str, Callable[[Path, Clock], None]] = {
    step.__name__: step for step in (plan, commit, resume, finish, status, gc, more, s3, prefect, indexing)
}

if __name__ == "__main__":
    name, where = sys.argv[1:]
    clock = Clock()
    STEPS[name](Path(where), clock)
    clock.told["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(clock.told))
