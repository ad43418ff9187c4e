"""A file is there whole or as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.infra.whole import write_whole


def test_text_bytes_and_functions_are_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep/er/file", "née")
    assert (tmp_path / "deep/er/file").read_text() == "née"
    write_whole(tmp_path / "deep/er/file", b"\x00")
    assert (tmp_path / "deep/er/file").read_bytes() == b"\x00"
    write_whole(tmp_path / "deep/er/file", lambda path: path.write_text("by itself"))
    assert (tmp_path / "deep/er/file").read_text() == "by itself"
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["file"]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "before")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_whole(tmp_path / "file", fail)
    assert (tmp_path / "file").read_text() == "before"
