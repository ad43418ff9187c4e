"""What a unit takes over from broken runs, other drivers and earlier tries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sluice.infra.commits import CommitLog
from sluice.infra.local import LocalStorage
from sluice.infra.storage import Entry
from sluice.preprocess.planning.build import prepare
from sluice.preprocess.planning.plan import Row, store_plan
from sluice.preprocess.units.output import Output, quarantine, store
from sluice.preprocess.units.work import StageUnit, StageWork, reusable, stage_log
from tests.preprocess.builds import config_here, run_scan, write_photos

ROWS = [Row(key, f"{key}.jpg", f"{key}.jpg", "", "") for key in ("a1", "b2", "c3", "d4")]


class Clearing(LocalStorage):
    """A folder where another driver takes away whatever was listed, before anyone reads it."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        entries = list(super().list(prefix))
        self.delete(entry.path for entry in entries if entry.path.endswith(".tar"))
        yield from entries


def done(*keys: str) -> Output:
    return Output({key: {"txt": key.encode()} for key in keys}, {key: {"caption": key} for key in keys})


def failed(*keys: str) -> Output:
    return Output(quarantined=[quarantine(row, "moody", "out of memory") for row in ROWS if row.key in keys])


def keep(log: CommitLog, name: str, output: Output, scratch: Path, retry: str = "") -> None:
    store(log, name, ROWS, output, scratch, {}, {"retry": retry})


def test_chunks_that_another_driver_takes_away_are_left_out(tmp_path: Path) -> None:
    chunks = CommitLog(LocalStorage(tmp_path / "out"), "chunks")
    keep(chunks, "a1-b2", done("a1", "b2"), tmp_path)
    assert reusable(chunks, chunks, None, "", tmp_path).settled == {"a1", "b2"}
    vanishing = CommitLog(Clearing(tmp_path / "out"), "chunks")
    assert reusable(vanishing, vanishing, None, "", tmp_path).settled == set()


def test_a_retry_forgets_failures_of_other_runs_and_not_its_own(tmp_path: Path) -> None:
    place = LocalStorage(tmp_path / "out")
    log, chunks = CommitLog(place, "stage"), CommitLog(place, "stage/chunks")
    before = done("a1")
    before.add(failed("b2", "c3", "d4"))
    keep(log, "shard", before, tmp_path)
    keep(chunks, "b2-b2", failed("b2"), tmp_path, retry="an earlier retry")
    keep(chunks, "c3-c3", failed("c3"), tmp_path, retry="this")
    old = log.get("shard")
    assert reusable(log, chunks, old, "", tmp_path).settled == {"a1", "b2", "c3", "d4"}
    assert reusable(log, chunks, old, "this", tmp_path).settled == {"a1", "c3"}


def test_what_a_chunk_mended_is_no_longer_quarantined(tmp_path: Path) -> None:
    place = LocalStorage(tmp_path / "out")
    log, chunks = CommitLog(place, "stage"), CommitLog(place, "stage/chunks")
    keep(log, "shard", failed("a1", "b2"), tmp_path)
    keep(chunks, "a1-a1", done("a1"), tmp_path, retry="broken off")
    output = reusable(log, chunks, log.get("shard"), "", tmp_path)
    assert output.fields.keys() == {"a1"}
    assert [entry["key"] for entry in output.quarantined] == ["b2"]


def test_a_shard_put_together_tells_what_its_stretches_took(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 4)
    stages = {"image": {"size": 64, "min_side": 8}, "segments": {"model": "superpixels"}}
    build = prepare(config_here(tmp_path, stages=stages), run_scan)
    store_plan(build.storage, build.plan_prefix, build.layout)
    (shard,) = build.plan.shards
    nodes = {node.name: node for node in build.nodes}
    work = StageWork(build.storage, build.plan_prefix, build.source, nodes)
    work.open("image")(StageUnit("image", shard))
    segment = work.open("segments")
    stretches = [segment(StageUnit("segments", shard, span)) for span in ((0, 3), (3, 4))]
    whole = segment(StageUnit("segments", shard))
    commit = stage_log(build.storage, nodes["segments"]).get(shard.id)
    assert commit is not None
    assert (commit.facts["computed"], whole.computed) == (4, 0)
    assert commit.facts["seconds"] > whole.seconds
    assert commit.facts["seconds"] <= sum(stretch.seconds for stretch in stretches) + whole.seconds + 0.01
