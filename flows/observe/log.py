"""A run's log: JSON lines, each with the run it is of. The command line imports this: what is heavy stays inside."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

RUN_ID = "SLUICE_RUN"
log = logging.getLogger("sluice.run")
log.propagate = False  # to a terminal, all this is said in other words
log.addHandler(logging.NullHandler())  # else errors would go to standard error where nobody asked for a log


def log_to(file: str) -> None:
    """Write what happens to the end of a file, or with `-` to standard error. Raises ConfigError."""
    from pythonjsonlogger.json import JsonFormatter

    from sluice.infra.settings import ConfigError

    try:
        handler = logging.StreamHandler(sys.stderr) if file == "-" else logging.FileHandler(Path(file))
    except OSError as error:
        raise ConfigError(f"--log {file} cannot be written: {error.strerror}") from error
    handler.setFormatter(
        JsonFormatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "message": "event"},
            static_fields={"run": run_id(), "pid": os.getpid()},
            timestamp="time",
        )
    )
    handler.handleError = _once(file)  # type: ignore[assignment]
    logging.getLogger("sluice").addHandler(handler)
    log.setLevel(logging.INFO)
    log.addHandler(handler)


def _once(file: str) -> Callable[[logging.LogRecord], None]:
    """What is said of lines that cannot be written: one word of the first, and of a run that goes on no traceback."""
    said = False

    def say(record: logging.LogRecord) -> None:
        nonlocal said
        if not said and sys.stderr:
            with suppress(OSError):  # nobody hears it, and what runs goes on
                why = sys.exc_info()[1]
                print(f"--log {file} lacks '{record.getMessage()}' and more: {why}", file=sys.stderr)
        said = True

    return say


def begin(words: Sequence[str]) -> None:
    """Say which run this is."""
    from sluice.infra.code import code_version
    from sluice.infra.logins import without_logins
    from sluice.infra.metrics import RUN

    command = without_logins(shlex.join(["sluice", *words]))  # one that is refused is logged first
    RUN.labels(run_id(), command).set_to_current_time()
    log.info("began", extra={"command": command, "sluice": code_version()})


def told(command: Callable[[], Any]) -> Any:
    """Run a command, and say how it ended: what it returns is its exit code."""
    began = time.monotonic()
    try:
        code = command()
    except KeyboardInterrupt:
        log.warning("interrupted", extra={"seconds": time.monotonic() - began})
        raise
    except Exception as error:
        log.error("failed", extra={"seconds": time.monotonic() - began, "error": f"{type(error).__name__}: {error}"})
        raise
    log.info("ended", extra={"seconds": time.monotonic() - began, "exit": code or 0})
    return code


def run_id() -> str:
    """Of this process, and of those that it starts."""
    return os.environ.setdefault(RUN_ID, uuid.uuid4().hex[:12])
