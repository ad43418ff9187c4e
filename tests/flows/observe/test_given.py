"""The command of a build, noted in its outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sluice.flows.observe.given import command_of, given_in, note_command
from sluice.infra.storage import storage

AT = command_of("made")


def again(folder: Path) -> str | None:
    given = given_in(storage(folder), AT)
    return given and given.again


def test_a_build_is_told_as_it_was_given_from_the_folder_it_was_given_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build = ["dataset", "build", "-c", "my photos.yaml", "--set", "shard_size=10"]
    monkeypatch.setattr(sys, "argv", ["sluice", "--log", "log.jsonl", *build])
    note_command(storage(tmp_path), AT)
    assert again(tmp_path) == "sluice dataset build -c 'my photos.yaml' --set shard_size=10"
    monkeypatch.chdir("/")
    assert again(tmp_path) == f"cd {tmp_path} && sluice dataset build -c 'my photos.yaml' --set shard_size=10"
    monkeypatch.setattr(sys, "argv", ["sluice", "dataset", "--debug", *build[1:], "--retry"])
    note_command(storage(tmp_path), AT)
    assert str(again(tmp_path)).endswith("shard_size=10"), "a retry goes on with nothing else"


def test_what_is_no_command_of_this_machine_is_not_told_and_neither_is_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for argv, job in ((["sluice", "dataset", "build"], True), (["python", "mine.py"], False)):
        monkeypatch.delenv("SLUICE_CODE", raising=False)
        monkeypatch.setattr(sys, "argv", ["sluice", "dataset", "build"])
        note_command(storage(tmp_path), AT)
        assert again(tmp_path) is not None
        monkeypatch.setattr(sys, "argv", argv)
        if job:
            monkeypatch.setenv("SLUICE_CODE", "0.1.0")
        note_command(storage(tmp_path), AT)
        assert again(tmp_path) is None
    (tmp_path / AT).write_text("[]")
    assert again(tmp_path) is None
