"""What a build counts and logs, and the page of one that failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from sluice.flows.dataset.tally import TooManyFailures
from tests.flows.conftest import config_for, write_pictures
from tests.flows.observe.conftest import lines


def counted(name: str, stage: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"stage": stage, **labels}) or 0.0


def test_every_unit_is_counted_and_logged(build: Callable[..., object], tmp_path: Path, log: Path) -> None:
    write_pictures(tmp_path / "in", range(4))
    names = ("sluice_records_total", "sluice_units_total", "sluice_bytes_total", "sluice_seconds_total")
    before = [counted(name, "canny") for name in names]
    build(config_for(tmp_path / "in", tmp_path / "out", shard_size=2))
    records, units, size, seconds = (counted(n, "canny") - b for n, b in zip(names, before, strict=True))
    assert (records, units) == (4, 2)
    assert size == sum(tar.stat().st_size for tar in (tmp_path / "out/stages/canny").rglob("*.tar"))
    assert seconds > 0
    done = [line for line in lines(log) if line["event"] == "done" and line["stage"] == "canny"]
    assert {line["shard"] for line in done} == {tar.name[:16] for tar in (tmp_path / "out/stages/canny").rglob("*.tar")}
    assert [line["records"] for line in done] == [2, 2]
    assert counted("sluice_busy_workers", "canny") == 0


def test_the_page_of_a_build_that_failed_says_first_why(build: Callable[..., object], tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(4))
    before = counted("sluice_failures_total", "moody", kind="quarantined")
    stages = {
        "image": {"size": 64, "min_side": 16},
        "moody": {"digits": "0123456789abcdef", "flag": str(tmp_path / "in"), "journal": str(tmp_path / "journal")},
    }
    with pytest.raises(TooManyFailures):
        build(config_for(tmp_path / "in", tmp_path / "out", stages=stages))
    page = tmp_path / "out/datasets/made/run/page.html"
    shown = page.read_text()
    assert shown.index("<strong>failed</strong>") < shown.index("4 images failed, and max_failures allows")
    assert shown.index("4 images failed, and max_failures allows") < shown.index("<strong>unfinished</strong>")
    assert counted("sluice_failures_total", "moody", kind="quarantined") == before + 4
    build(config_for(tmp_path / "in", tmp_path / "out"))
    assert not page.exists()
