"""Options where S3 is no place."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.flows.cli import app


@pytest.mark.parametrize(
    "command",
    [
        "evaluate --suite papers --place s3://b/e",
        "evaluate --suite papers --out s3://b/e",
        "evaluate report --results s3://b/e",
        "train controlnet --data d --out s3://b/e",
        "train tabletop --out s3://b/e",
        "dataset drift --page s3://b/e",
        "dataset show --page s3://b/e",
    ],
)
def test_an_address_is_refused_there_and_leaves_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, command.split())
    assert ended.exit_code == 2
    said = " ".join(ended.output.replace("│", " ").split())
    assert "'s3://b/e' is an address, and this takes a path of this machine alone" in said
    assert not list(tmp_path.iterdir())


def test_an_empty_name_is_not_the_folder_one_is_in() -> None:
    ended = CliRunner().invoke(app, ["evaluate", "--suite", "papers", "--place", ""])
    assert ended.exit_code == 2
    assert "it is empty" in ended.output
