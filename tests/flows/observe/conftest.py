"""A log that is read while a test runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.flows.observe.log import RUN_ID, log_to

LOGGERS = ("sluice", "sluice.run")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is written to until the test ends."""
    monkeypatch.setenv(RUN_ID, "a-run")
    before = [list(logging.getLogger(name).handlers) for name in LOGGERS]
    log_to(str(tmp_path / "log.jsonl"))
    yield tmp_path / "log.jsonl"
    for name, handlers in zip(LOGGERS, before, strict=True):
        logging.getLogger(name).handlers = handlers


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]
