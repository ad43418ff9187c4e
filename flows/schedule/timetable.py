"""A timetable: which commands run when, where, and who is told when one fails."""

from __future__ import annotations

import asyncio
import difflib
import shlex
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sluice.flows.submit.words import RUN
from sluice.infra.settings import ConfigError, parse, read_settings
from sluice.infra.spans import seconds_of

SCHEDULED = (*RUN, "gc")
LONGEST_NAME = 64
"""Of an entry: jobs on a cluster are called so, with more behind it."""
SHORTEST = 5.0
"""Seconds between two runs of an entry, each of which starts a process."""
LOOKS = "10m"
"""How often a source is looked at for new images."""


class Entry(BaseModel):
    """One command: by `cron`, `every` so long, or `when` its source has new images (looked at `every` so long).

    `cpus` and `gpus` are of a machine of the cluster, for the command itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    cron: str | None = None
    every: str | None = None
    when: Literal["new images"] | None = None
    timezone: str = "UTC"
    cluster: str | None = None
    cpus: float = Field(0.0, ge=0)
    gpus: float = Field(0.0, ge=0)
    retries: int = Field(2, ge=0)
    retry_after: str = "10m"

    @field_validator("command")
    @classmethod
    def _can_run(cls, command: str) -> str:
        words = shlex.split(command)
        if not words or words[0] not in (*SCHEDULED, "submit"):
            raise ValueError(f"a command of {', '.join(SCHEDULED)}, as it is typed behind `sluice`")
        if words[0] == "submit":
            raise ValueError("without `submit`: `cluster: NAME` says where it runs")
        return command

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, cron: str | None) -> str | None:
        from prefect.server.schemas.schedules import CronSchedule

        if cron is None:
            return None
        try:
            asyncio.run(CronSchedule(cron=cron).get_dates(1))  # as Prefect's own scheduler asks
        except ValidationError as error:
            raise ValueError('five fields, such as "0 3 * * 1" for Mondays at three') from error
        except ValueError as error:
            raise ValueError(f"'{cron}' never comes: Prefect's scheduler finds no such day") from error
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        if timezone not in available_timezones():
            close = difflib.get_close_matches(timezone, available_timezones(), n=1)
            meant = f"did you mean '{close[0]}'?" if close else "give one of IANA's, such as Europe/Berlin"
            raise ValueError(f"no time zone; {meant}")
        return timezone

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if self.cron is None and self.every is None and self.when is None:
            raise ValueError("say when: `cron`, `every` (6h), or `when: new images`")
        if self.cron is not None and (self.every is not None or self.when is not None):
            raise ValueError("`cron` goes with neither `every` nor `when`")
        if self.cluster is None and (self.cpus or self.gpus):
            raise ValueError("`cpus` and `gpus` are of a cluster's machine: name it with `cluster`")
        if self.when is not None and self.words[:2] != ["dataset", "build"]:
            raise ValueError("`when: new images` is for `dataset build`, which has a source")
        return self

    @property
    def words(self) -> list[str]:
        """As the command line takes them."""
        return shlex.split(self.command)

    @property
    def seconds(self) -> float | None:
        """Between two runs or looks, None by cron."""
        return None if self.cron else seconds_of(self.every or LOOKS, "every:")


class Timetable(BaseModel):
    """Entries by name. `notify` is a file of mode 0600 with the URL that failures are posted to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: dict[str, Entry] = Field(min_length=1)
    notify: Path | None = None

    @field_validator("runs")
    @classmethod
    def _are_names(cls, runs: dict[str, Any]) -> dict[str, Any]:
        for name in runs:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"'{name}' is no name: letters, digits, - and _")
            if len(name) > LONGEST_NAME:
                raise ValueError(f"'{name}' is too long a name: {LONGEST_NAME} letters at most")
        return runs


def read_timetable(path: Path) -> Timetable:
    """A timetable from its YAML file, from whose folder a relative `notify` is meant. Raises ConfigError."""
    table = parse(Timetable, read_settings(path, "`runs: {weekly: {command: ..., cron: ...}}`"), str(path))
    for name, entry in table.runs.items():
        if entry.every is not None and seconds_of(entry.every, f"{path}: runs.{name}.every:") < SHORTEST:
            raise ConfigError(f"{path}: runs.{name}.every: it is {entry.every}, and no run is over so soon: 5s or more")
        seconds_of(entry.retry_after, f"{path}: runs.{name}.retry_after:")
    if table.notify is None:
        return table
    return table.model_copy(update={"notify": path.parent / table.notify.expanduser()})
