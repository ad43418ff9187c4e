"""What the end of a build does, in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

import pytest
from rich.console import Console

from sluice.flows.dataset import flow
from sluice.flows.dataset.flow import _Arrivals, _finish, build_dataset
from sluice.flows.dataset.tally import Tally
from sluice.flows.progress import BuildProgress
from sluice.flows.reach import NoCluster
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.infra.local import LocalStorage
from sluice.infra.storage import Entry
from sluice.preprocess.page.dataset import run_page
from sluice.preprocess.planning.build import pending, prepare, read_commits
from sluice.preprocess.planning.plan import store_plan
from sluice.preprocess.version.card import CARD
from sluice.preprocess.version.export import export_shard
from tests.preprocess.builds import config_here, run_scan, run_units, write_photos


class Watched(LocalStorage):
    """A disk that remembers what was written and listed, in this order."""

    done: ClassVar[list[str]] = []

    def write(self, path: str, data: bytes) -> None:
        self.done.append(f"write {path}")
        super().write(path, data)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        self.done.append(f"list {prefix}")
        return super().list(prefix)


@dataclass
class Here:
    """Merges in this process, when it is told to."""

    place: LocalStorage
    arrivals: _Arrivals

    def submit(self, units: Sequence[Unit]) -> None:
        self.arrivals.exported += [export_shard(self.place, self.place, unit.payload) for unit in units]

    def wait(self, names: Sequence[str]) -> None:
        assert len(names) == len(self.arrivals.exported)


def test_a_version_has_a_young_file_before_its_merged_shards_are_looked_for(tmp_path: Path) -> None:
    """Else garbage collection takes what a killed build had merged, which is counted on from then."""
    write_photos(tmp_path / "photos", 8)
    place = Watched(tmp_path / "out")
    build = replace(prepare(config_here(tmp_path), run_scan), storage=place)
    store_plan(place, build.plan_prefix, build.layout)
    run_units(build, pending(build, read_commits(build), build.plan.shards, False))
    arrivals = _Arrivals({}, BuildProgress(Console(quiet=True), {}), Tally(0), Counter())
    version = _finish(build, build.plan.shards, cast(Dispatcher, Here(place, arrivals)), arrivals)
    own = [done for done in place.done if version.prefix in done]
    assert own[:2] == [f"write {version.prefix}/{CARD}", f"list {version.prefix}/"]
    assert own[-1] == f"write {version.prefix}/manifest.json"


def test_the_page_says_that_a_run_failed_which_could_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no longer that one runs which was killed before it."""
    write_photos(tmp_path / "photos", 4)
    build = prepare(config_here(tmp_path), run_scan)
    place, path = build.storage, run_page(build.config.name)
    place.write(path, b"running")

    @contextmanager
    def refused(*_: object) -> Iterator[None]:
        raise NoCluster("Ray did not start")
        yield

    monkeypatch.setattr(flow, "prefect_server", nullcontext)
    monkeypatch.setattr(flow, "ray_session", refused)
    with pytest.raises(NoCluster):
        build_dataset(build, Console(quiet=True))
    shown = place.read(path).decode()
    assert "<strong>failed</strong>" in shown
    assert "Ray did not start" in shown
