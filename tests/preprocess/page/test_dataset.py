from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pytest

from sluice.infra.local import LocalStorage
from sluice.infra.page import Cards, Fold, Histograms, Page, Sum, Table, Text, render
from sluice.preprocess.page.dataset import dataset_page, of_run, of_version
from sluice.preprocess.page.distributions import distributions, histogram
from sluice.preprocess.page.pictures import HATCH, OUTLINE, in_words, picture, silenced
from sluice.preprocess.page.quarantine import quarantine_blocks
from sluice.preprocess.page.record import UnknownRecord, find_record, record_page
from sluice.preprocess.page.records import cards, control_to_silence, sample, silenced_strip
from sluice.preprocess.page.stages import notices, stage_table, work_of
from sluice.preprocess.record import Record
from sluice.preprocess.silence import kept_segments, labels_present
from sluice.preprocess.version.manifest import Version, read_table
from tests.made_version import make_build, make_version, scene

WHEN = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
LEFT_OUT = (
    *(("image", "failed", f"ImageError: {n}000 x {n}000 pixels are more than 64 million") for n in range(1, 9)),
    *(("mask", "filtered", "the dilated mask covers the whole image") for _ in range(20)),
    ("canny", "failed", "ValueError: <script>alert(1)</script>\nTraceback ..."),
)


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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStorage, Version]:
    """60 records in 6 shards, with a quarantine."""
    storage = LocalStorage(tmp_path_factory.mktemp("small"))
    return storage, make_version(storage, 60, 10, left_out=LEFT_OUT, large=64)


def section(page: Page, name: str) -> list[Any]:
    return next((list(s.blocks) for s in page.sections if s.id == name), [])


def test_a_page_of_10000_records_is_whole_small_and_asks_for_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    version = make_version(storage, 10_000, caption=lambda place: f"see https://example.org/{place} <img src=x>")
    page = dataset_page(of_version(storage, version), WHEN)
    html = render(page)
    assert 500_000 < len(html) < 5_000_000
    assert len(section(page, "records")[0].cards) == 24
    assert not re.search(rb"(src|href|srcset)\s*=\s*[\"']?\s*(https?:|//|file:)", html)
    assert b"<script" not in html
    assert b"<img src=x" not in html


def test_images_are_the_sum_of_where_they_went(small: tuple[LocalStorage, Version]) -> None:
    page = dataset_page(of_version(*small), WHEN)
    total: Sum = section(page, "images")[0]
    numbers = {term.name: term.value for term in total.parts}
    assert numbers == {"records": 60, "duplicates": 2, "quarantined": 10, "filtered out": 20}
    assert total.whole.value == sum(numbers.values())


def test_marks_fall_backs_and_what_is_left_out_come_first(small: tuple[LocalStorage, Version]) -> None:
    first = dataset_page(of_version(*small), WHEN).notices
    assert [(n.mark, n.tone) for n in first] == [
        ("unfit for training", "bad"),
        ("depth", "warn"),
        ("left out", "muted"),
    ]
    assert "`bg.jpg`" in first[0].text
    assert "cue instead" in first[1].text


def test_what_several_stages_say_is_said_once() -> None:
    absent, limits = "'dpt-large' is not here: cue instead", "`cue` guesses, at some length"
    stages = [
        {"name": name, "model": "cue", "writes": [f"{name}.png"], "notes": [absent, "unfit for training", limits]}
        for name in ("depth", "fg_depth")
    ]
    assert [(n.mark, n.text) for n in notices(stages, [])] == [
        ("unfit for training", "`depth.png`, `fg_depth.png`, made by cue"),
        ("depth, fg_depth", absent),
        ("depth, fg_depth", limits),
    ]
    shown = [{**stage, "version": 1, "fingerprint": "0123456789abcdef"} for stage in stages]
    table = stage_table(shown, {stage["name"]: work_of([]) for stage in shown}, 1)
    assert table.rows[0][0].notes == ["fall-back", "unfit for training"]


def test_16_bits_drawn_in_colours_are_called_so(small: tuple[LocalStorage, Version]) -> None:
    page = dataset_page(of_version(*small), WHEN)
    (lead,) = (s.lead for s in page.sections if s.id == "records")
    drawn = lead.partition("16 bits in the files: ")[2]
    assert set(re.findall("`(.*?)`", drawn)) == {"segments.png", "depth.png", "fg_depth.png", "bg_depth.png"}
    storage, version = small
    key = sample(storage, read_table(storage, version, "shards.parquet"), 1).records[0].key
    notes = {f.label: f.note for f in section(record_page(storage, version, key, WHEN), "fields")[0].figures}
    assert notes["depth.png"].endswith("drawn in colours here, 16 bits in the file")
    assert "colours" not in notes["canny.png"]


def test_no_command_is_shown_that_fails_as_typed(small: tuple[LocalStorage, Version]) -> None:
    page = dataset_page(of_version(*small), WHEN)
    assert not any("`sluice" in section.lead for section in page.sections)


def test_the_quarantine_is_grouped_by_reason_whatever_the_numbers_in_it() -> None:
    entries = [
        {"key": f"{i:016x}", "uri": f"bad/{i}.jpg", "stage": stage, "kind": kind, "reason": f"bad/{i}.jpg: {reason}"}
        for i, (stage, kind, reason) in enumerate(LEFT_OUT)
    ]
    folds = [block for block in quarantine_blocks(entries) if isinstance(block, Fold)]
    assert [(fold.count, fold.tone) for fold in folds] == [("8", "bad"), ("1", "bad"), ("20", "muted")]
    examples, more = folds[0].blocks
    assert isinstance(examples, Table)
    assert isinstance(more, Text)
    assert len(examples.rows) == 5
    assert more.text == "and 3 more"


def test_timings_are_those_of_the_commits_that_the_version_is_made_of(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    shown = of_version(storage, version)
    table: Table = section(dataset_page(shown, WHEN), "stages")[0]
    row = dict(zip(table.columns, next(r for r in table.rows if r[0].text == "background"), strict=True))
    assert row["computed records"].text == "61"  # one more than the version holds, which canny left out
    assert row["worker time"].text == "1 min 9 s"  # 6 shards of 1.5 s and a second for each letter
    assert row["worker time"].bar == 1
    fewer = replace(version, manifest={**version.manifest, "shards": version.manifest["shards"][:2]})
    assert len(of_version(storage, fewer).commits["background"]) == 2


def test_a_sample_is_spread_over_the_shards_and_reads_only_their_beginnings(tmp_path: Path) -> None:
    storage = Watched(tmp_path)
    outputs = read_table(storage, make_version(storage, 400, 100, large=32), "shards.parquet")
    found = sample(storage, outputs, count=2)
    read = {path: file.count for path, file in storage.opened.items() if path.endswith(".tar")}
    sizes = {o["file"]: o["bytes"] for o in outputs if o["ordinal"] in (0, 2)}
    assert read.keys() == sizes.keys()
    assert sum(read.values()) < 0.2 * sum(sizes.values())
    assert len({record.key for record in found.records}) == 2
    assert all("jpg" in record and "clip.npy" in record for record in found.records)


def test_a_shard_of_which_a_stage_kept_nothing_has_no_records_to_show(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    outputs = read_table(storage, version, "shards.parquet")
    emptied = [{**o, "records": 0} if (o["ordinal"], o["stage"]) == (0, "mask") else o for o in outputs]
    assert len(sample(storage, outputs, 60).records) == 60
    assert len(sample(storage, emptied, 60).records) == 50


def test_every_beginning_of_a_sample_is_spread_as_well(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    outputs = read_table(storage, version, "shards.parquet")
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


def test_a_silenced_control_keeps_its_segments_and_nothing_else() -> None:
    segments = np.zeros((60, 80), np.uint16)
    segments[10:50, 10:40], segments[20:40, 50:70] = 5, 900
    image = silenced("canny.png", np.full((60, 80), 255, np.uint8), segments, {5}, None)
    assert (image[12:48, 12:38] == 255).all()
    assert (image[10, 10:40] == OUTLINE).all()
    rest = image[segments != 5]
    assert {tuple(pixel) for pixel in rest.tolist()} == {(0, 0, 0), HATCH}
    assert 0.05 < (rest == HATCH).all(axis=1).mean() < 0.2


def test_the_silenced_strip_shows_the_draw_that_training_makes() -> None:
    record = scene("00000000000000ab", 48, "")
    labels = labels_present(record["segments.png"])
    notes = [figure.note for figure in silenced_strip(record, "hed.png", 40).figures]
    drawn = [len(kept_segments(labels, 0, epoch, record.key)) for epoch in (0, 1, 2)]
    assert notes == [f"keeps {kept} of {len(labels)} segments" for kept in drawn]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("brightness.json", 127.25, "127.25"),
        ("is_night.json", False, "false"),
        ("taken.json", None, "null"),
        ("exif.json", {"iso": 100, "lens": "50 mm"}, "2 entries"),
        ("places.json", ["Zürich"], "1 entries"),
        ("licence.txt", "CC0", "3 characters"),
        ("clip.npy", np.zeros((2, 3), np.float16), "2 × 3 float16"),
        ("pose.json", {"people": []}, "nobody"),
        ("safety.json", {"model": "open-nsfw", "unsafe": 0.0312}, "unsafe: 0.03 of 1, says open-nsfw"),
    ],
)
def test_what_is_no_picture_is_said_in_words(field: str, value: Any, words: str) -> None:
    assert in_words(field, value) == words


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


def test_depth_is_brighter_where_it_is_nearer() -> None:
    shown = picture("depth.png", np.linspace(0, 65535, 64).astype(np.uint16)[None])
    luminance = shown[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


def test_segments_have_colours_of_their_own() -> None:
    shown = picture("segments.png", np.arange(40, dtype=np.uint16)[None])
    assert len({tuple(colour) for colour in shown[0].tolist()}) == 40


def test_what_varies_is_a_histogram_and_what_does_not_a_sentence() -> None:
    rows = [
        {
            "key": f"{i:x}",
            "width": 256,
            "segments": i % 5,
            "depth_mean": i / 10,
            "split": "train" if i else "validation",
        }
        for i in range(10)
    ]
    plots, sentence, split = distributions(rows)
    assert isinstance(plots, Histograms)
    assert isinstance(sentence, Text)
    assert isinstance(split, Table)
    assert [h.name for h in plots.histograms] == ["segments", "depth, mean (near is 1)"]
    assert [(b.range, b.count) for b in plots.histograms[0].bins] == [(str(n), 2) for n in range(5)]
    assert sentence.text == "The same in every record: width, px 256."
    assert [[cell.text for cell in row] for row in split.rows] == [
        ["train", "9", "90.0%"],
        ["validation", "1", "10.0%"],
    ]


def test_a_histogram_counts_everything_and_marks_the_median() -> None:
    values = np.array([0.0, 0.1, 0.2, 0.9, 1.0])
    drawn = histogram("x", values)
    assert sum(bin.count for bin in drawn.bins) == 5
    assert (drawn.low, drawn.high) == ("0", "1")
    assert drawn.marker == pytest.approx(0.2)


def test_a_shard_that_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    version = make_version(storage, 30, 10, large=32)
    first = next(row for row in read_table(storage, version, "shards.parquet") if row["stage"] == "canny")
    shown = of_version(storage, version)
    storage.delete([first["file"]])
    page = dataset_page(shown, WHEN)
    assert [n.mark for n in page.notices].count("could not be read") == 1
    assert any(first["file"] in n.text for n in page.notices)
    records: Cards = section(page, "records")[0]
    assert len(records.cards) == 16


def test_an_unfinished_run_shows_how_far_it_came(tmp_path: Path) -> None:
    build, commits = make_build(LocalStorage(tmp_path), 20, 10, left_out=LEFT_OUT, large=32)
    second = build.plan.shards[1].id
    for stage in ("canny", "clip"):
        del commits[stage][second]
    page = dataset_page(of_run(build, commits), WHEN)
    assert page.notices[0].mark == "unfinished"
    assert "20 of 22 units" in page.notices[0].text
    assert [s.id for s in page.sections][:2] == ["images", "quarantine"]
    table: Table = section(page, "stages")[0]
    assert next(row[1].text for row in table.rows if row[0].text == "clip") == "1 of 2"
    assert b"Records planned: 49. Shards: 2." in render(page)


def test_a_record_is_found_by_the_beginning_of_its_key_and_its_fields_lie_where_the_page_says(
    small: tuple[LocalStorage, Version],
) -> None:
    storage, version = small
    key = sample(storage, read_table(storage, version, "shards.parquet"), 7).records[6].key
    found = find_record(storage, version, key[:12])
    assert found.key == key
    assert {place.field for place in found.places} == {w for s in version.manifest["stages"] for w in s["writes"]}
    for place in found.places:
        assert storage.read_range(place.file, place.offset, len(place.data)) == place.data


def test_the_page_of_a_record_holds_every_field(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    key = sample(storage, read_table(storage, version, "shards.parquet"), 1).records[0].key
    page = record_page(storage, version, key, WHEN)
    labels = [figure.label for figure in section(page, "fields")[0].figures]
    assert sorted([*labels, "txt", "json"]) == sorted(w for s in version.manifest["stages"] for w in s["writes"])
    assert len(section(page, "silenced")) == 4
    html = render(page).decode()
    assert all(stage["fingerprint"] in html for stage in version.manifest["stages"])
    assert "&#34;split&#34;: &#34;train&#34;" in html


def test_a_key_that_is_no_record_is_explained(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    refused = next(e for e in read_table(storage, version, "quarantine.parquet") if e["stage"] == "canny")
    with pytest.raises(UnknownRecord, match=r"(?s)stage 'canny' left out bad/.*ValueError"):
        find_record(storage, version, refused["key"])
    with pytest.raises(UnknownRecord, match="no record 'nothing'"):
        find_record(storage, version, "nothing")
    with pytest.raises(UnknownRecord, match="60 records whose key begins with ''"):
        find_record(storage, version, "")


def test_a_record_with_few_fields_needs_no_more() -> None:
    bare = Record("00000000000000cd", {"jpg": scene("00000000000000cd", 32, "").encode("jpg")})
    (card,) = cards([bare])
    assert [figure.label for figure in card.strips[0].figures] == ["jpg"]
    assert card.facts == []
