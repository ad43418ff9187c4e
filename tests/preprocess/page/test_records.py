"""The records that a page shows: a spread sample, of which little is read, within a budget."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from sluice.infra.local import LocalStorage
from sluice.preprocess.page.records import cards, control_to_silence, sample, silenced_strip
from sluice.preprocess.record import Record
from sluice.preprocess.silence import kept_segments, labels_present
from sluice.preprocess.version.manifest import Version, table_rows
from tests.made_version import make_version, scene


class Counted(io.FileIO):
    """A file that counts the bytes read from it."""

    count = 0

    def readinto(self, buffer: Any) -> int:
        read = super().readinto(buffer) or 0
        self.count += read
        return read


class Watched(LocalStorage):
    """A folder that counts what is read from each file it opens as a stream."""

    opened: ClassVar[dict[str, Counted]] = {}

    def open(self, path: str) -> BinaryIO:
        if not (self.root / path).exists():
            return super().open(path)
        self.opened[path] = Counted(self.root / path)
        return io.BufferedReader(self.opened[path])


def test_a_sample_is_spread_over_the_shards_and_reads_only_their_beginnings(tmp_path: Path) -> None:
    storage = Watched(tmp_path)
    outputs = list(table_rows(storage, make_version(storage, 400, 100, large=32), "shards.parquet"))
    found = sample(storage, outputs, count=2)
    read = {path: file.count for path, file in storage.opened.items() if path.endswith(".tar")}
    sizes = {o["file"]: o["bytes"] for o in outputs if o["ordinal"] in (0, 2)}
    assert read.keys() == sizes.keys()
    assert sum(read.values()) < 0.2 * sum(sizes.values())
    assert len({record.key for record in found.records}) == 2
    assert all("jpg" in record and "clip.npy" in record for record in found.records)


def test_a_shard_of_which_a_stage_kept_nothing_has_no_records_to_show(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    outputs = list(table_rows(storage, version, "shards.parquet"))
    emptied = [{**o, "records": 0} if (o["ordinal"], o["stage"]) == (0, "mask") else o for o in outputs]
    assert len(sample(storage, outputs, 60).records) == 60
    assert len(sample(storage, emptied, 60).records) == 50


def test_every_beginning_of_a_sample_is_spread_as_well(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    outputs = list(table_rows(storage, version, "shards.parquet"))
    first = {s["ordinal"]: sample(storage, [o for o in outputs if o["ordinal"] == s["ordinal"]], 1) for s in outputs}
    six = [record.key for record in sample(storage, outputs, 24).records[:6]]
    assert six == [found.records[0].key for found in first.values()]


def test_pictures_stay_within_their_budget() -> None:
    records = [scene(f"{i:016x}", 64, "") for i in range(6)]
    for record in records:
        for name in list(record.values):
            record.encode(name)
    whole = cards(records)
    size = sum(len(f.source) for card in whole for strip in card.strips for f in strip.figures)
    assert len(whole) == 6
    assert 1 <= len(cards(records, size // 2)) <= 4


def test_the_silenced_strip_shows_the_draw_that_training_makes() -> None:
    record = scene("00000000000000ab", 48, "")
    labels = labels_present(record["segments.png"])
    notes = [figure.note for figure in silenced_strip(record, "hed.png", 40).figures]
    drawn = [len(kept_segments(labels, 0, epoch, record.key)) for epoch in (0, 1, 2)]
    assert notes == [f"keeps {kept} of {len(labels)} segments" for kept in drawn]


def test_a_control_of_which_nothing_would_be_seen_is_not_the_one_shown_silenced() -> None:
    record = scene("00000000000000ab", 48, "")
    shown = [control_to_silence(record, place) for place in range(4)]
    record["pose.png"] = np.zeros_like(record["pose.png"])
    without = [control_to_silence(record, place) for place in range(4)]
    assert "pose.png" in shown
    assert "pose.png" not in without
    assert len(set(without)) > 1, "the others still take turns"
    for name in ("canny.png", "hed.png", "depth.png"):
        record[name] = np.zeros_like(record[name])
    assert control_to_silence(record, 0) is not None, "all are black: any will do"
    assert control_to_silence(Record("00", {}, {"canny.png": np.ones((4, 4), np.uint8)}), 0) is None


def test_a_record_with_few_fields_needs_no_more() -> None:
    bare = Record("00000000000000cd", {"jpg": scene("00000000000000cd", 32, "").encode("jpg")})
    (card,) = cards([bare])
    assert [figure.label for figure in card.strips[0].figures] == ["jpg"]
    assert card.facts == []
