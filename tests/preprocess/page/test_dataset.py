"""The page of a data set, of a version or of a run that goes on."""

from __future__ import annotations

import re
from pathlib import Path

from sluice.infra.local import LocalStorage
from sluice.infra.page.blocks import Cards, Fold, Sum, Table, Text
from sluice.infra.page.render import render
from sluice.preprocess.page.dataset import dataset_page, of_run, of_version
from sluice.preprocess.page.quarantine import quarantine_blocks
from sluice.preprocess.page.record import record_page
from sluice.preprocess.page.records import sample
from sluice.preprocess.version.manifest import Version, table_rows
from tests.made_version import make_build, make_version
from tests.preprocess.page.made_pages import LEFT_OUT, WHEN, section


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


def test_16_bits_drawn_in_colours_are_called_so(small: tuple[LocalStorage, Version]) -> None:
    page = dataset_page(of_version(*small), WHEN)
    (lead,) = (s.lead for s in page.sections if s.id == "records")
    drawn = lead.partition("16 bits in the files: ")[2]
    assert set(re.findall("`(.*?)`", drawn)) == {"segments.png", "depth.png", "fg_depth.png", "bg_depth.png"}
    storage, version = small
    key = sample(storage, list(table_rows(storage, version, "shards.parquet")), 1).records[0].key
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


def test_a_shard_that_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    version = make_version(storage, 30, 10, large=32)
    first = next(row for row in table_rows(storage, version, "shards.parquet") if row["stage"] == "canny")
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
