"""The page of a run that goes on, and of one that failed."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from sluice.flows.observe import page
from sluice.flows.observe.page import LivePage
from sluice.infra.local import LocalStorage
from sluice.infra.page.blocks import Page
from tests.flows.schedule.conftest import until


def made() -> Page:
    return Page("run", "of a test", [], [])


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(page, "SHARE", 1.0)


def test_a_run_is_looked_at_anew_until_it_is_done(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    with LivePage(LocalStorage(tmp_path), "page.html", made):
        until(file.exists, 20)
        assert 'http-equiv="refresh"' in file.read_text()
        assert "running" in file.read_text()
    assert 'http-equiv="refresh"' not in file.read_text()
    assert "done" in file.read_text()


def test_what_ended_it_comes_first_and_escaped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), LivePage(LocalStorage(tmp_path), "page.html", made):
        raise ValueError("no <script> here")
    shown = (tmp_path / "page.html").read_text()
    first = shown[shown.index('<p class="notice') :]
    assert first.startswith('<p class="notice bad"><strong>failed</strong>')
    assert "no &lt;script&gt; here" in first
    assert "the same command goes on" in first


def test_a_run_that_is_soon_over_leaves_none_and_takes_an_old_one_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "REFRESH_SECONDS", 60.0)
    (tmp_path / "page.html").write_text("of a run before, which failed")
    with LivePage(LocalStorage(tmp_path), "page.html", made):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_made_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> Page:
        raise OSError("the disk is full")

    with caplog.at_level(logging.WARNING), LivePage(LocalStorage(tmp_path), "page.html", breaks):
        time.sleep(0.2)
    assert "could not be written: the disk is full" in caplog.text


def test_an_interrupted_run_says_so_where_it_has_a_page(tmp_path: Path) -> None:
    live = LivePage(LocalStorage(tmp_path), "page.html", made)
    live.__enter__()
    until((tmp_path / "page.html").exists, 20)
    live.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "interrupted" in (tmp_path / "page.html").read_text()


def test_who_is_told_to_end_does_not_wait_for_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "HURRY_SECONDS", 0.05)
    begun, goes_on = threading.Event(), threading.Event()

    def takes_long() -> Page:
        begun.set()
        goes_on.wait(60)
        return made()

    live = LivePage(LocalStorage(tmp_path), "page.html", takes_long)
    live.__enter__()
    assert begun.wait(20)
    live.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert live.writer.is_alive()
    goes_on.set()
    live.writer.join()
