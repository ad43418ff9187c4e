"""The note of what ended a run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sluice.flows.observe.ending import Ending, ending_of, noting
from sluice.infra.local import LocalStorage


@pytest.mark.parametrize(
    ("error", "how", "why"),
    [
        (ValueError("no room"), "failed", "no room"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_it_is_noted_and_forgotten_when_the_same_is_run_again(
    tmp_path: Path, error: BaseException, how: str, why: str
) -> None:
    place = LocalStorage(tmp_path)
    with pytest.raises(type(error)), noting(place, "run/ended.json"):
        raise error
    found = ending_of(place, "run/ended.json")
    assert found == Ending(how, why, (tmp_path / "run/ended.json").stat().st_mtime)
    with noting(place, "run/ended.json"):
        assert ending_of(place, "run/ended.json") is None
        (tmp_path / "run/ended.json").write_bytes(b'{"how": "failed", "why": "of another beside it"}')
    assert ending_of(place, "run/ended.json") is None


def test_a_note_that_cannot_be_written_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").write_text("a file where a folder should be")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ValueError, match="the cause"),
        noting(LocalStorage(tmp_path), "run/ended.json"),
    ):
        raise ValueError("the cause")
    assert "run/ended.json, could not be written" in caplog.text


@pytest.mark.parametrize("content", ["", "[]", '{"how": 1}', "no json"])
def test_a_damaged_note_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ended.json").write_text(content)
    assert ending_of(LocalStorage(tmp_path), "ended.json") is None


def test_what_workers_write_while_they_are_ended_is_of_the_run_that_ended() -> None:
    ended = Ending("interrupted", "", when=1000.0)
    assert ended.is_after(999.0)
    assert ended.is_after(1005.0)
    assert not ended.is_after(1060.0)
