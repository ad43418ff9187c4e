"""What the options of a command name, read: a configuration, jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.flows.compose.tree.job import Job
    from sluice.preprocess.planning.config import DatasetConfig


def config_of(given: dict[str, Any]) -> DatasetConfig:
    """The configuration that the options of a `dataset` command resolve to. Raises ConfigError."""
    from sluice.flows.configs import find_config
    from sluice.preprocess.planning.config import load_config

    return load_config(find_config(given["config"]), given["settings"] or (), given["source"], given["out"])


def jobs_in(given: dict[str, Any]) -> Iterator[Job]:
    """Those of `compose`: its file's, or one for each row of a table. Raises ConfigError."""
    from sluice.flows.compose.run.tables import jobs_of
    from sluice.flows.compose.tree.job_file import read_job

    settings = given.get("set_") or ()
    if given.get("table") is not None:
        yield from jobs_of(given["table"], given["job"], settings)
    else:
        yield read_job(given["job"], settings)
