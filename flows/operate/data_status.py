"""How a data set stands: its versions, what the newest plan still lacks, and whether a build seems to run."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sluice.flows.configs import find_config
from sluice.flows.observe.ending import Ending, ending_of, note_of
from sluice.flows.observe.given import RETRY, command_of, given_in
from sluice.flows.operate.making import Merging, Outputs, is_outgrown, merging
from sluice.flows.operate.stored import DataSet, Stored
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.version.manifest import DamagedVersion, table_rows

RECENT = 600
"""Seconds: a build that wrote something since seems to run, unless one has ended after that."""
REASONS = 3


@dataclass(frozen=True)
class VersionStatus:
    """A version: `bytes` are of its stages' outputs, which it may share; `made` is in seconds since 1970."""

    id: str
    aliases: list[str]
    records: int
    quarantined: int
    filtered: int
    bytes: int
    made: float


@dataclass(frozen=True)
class StageStatus:
    """Units of a stage that are committed, of those that the newest plan has, and such as are begun."""

    stage: str
    fingerprint: str
    committed: int
    planned: int
    begun: int


@dataclass(frozen=True)
class DataStatus:
    """A data set: versions oldest first, `left` the stages that lack units, `reasons` of the newest's quarantine.

    `written` is when a build last wrote what no version names, its plan among it, None where there is no such file;
    `ended` what ended the last build, None where it is done, goes on or was killed.
    """

    name: str
    versions: list[VersionStatus]
    planned: int
    left: list[StageStatus]
    merging: list[Merging]
    written: float | None
    ended: Ending | None
    seems_to_run: bool
    reasons: dict[str, int]
    commands: list[str]


def data_status(place: Storage, data: DataSet, outputs: Sequence[Outputs], now: float) -> DataStatus:
    """Of one data set, from what is listed in its place."""
    merged = list(merging(place, data))
    own = list(_of_plan(data, outputs))
    times = [version.written for version in merged] + [output.written for output, _ in own]
    if is_outgrown(data):
        times.append(data.planned)
    written = max(times, default=None)
    ended = ending_of(place, note_of(data.name))
    seems_to_run = _seems_to_run(data, written, ended, now)
    newest = data.versions[-1] if data.versions else None
    left = [stage for _, stage in own]
    return DataStatus(
        data.name,
        [_version(data, stored) for stored in data.versions],
        len(data.plans[-1].shards) if data.plans else 0,
        left,
        merged,
        written,
        ended,
        seems_to_run,
        _reasons(place, newest) if newest else {},
        list(_commands(place, data, newest, bool(left or merged or ended or not newest) and not seems_to_run)),
    )


def _seems_to_run(data: DataSet, written: float | None, ended: Ending | None, now: float) -> bool:
    """Whether what was written last is recent, and no version was made and no end was noted since."""
    if written is None or now - written >= RECENT:
        return False
    return not (ended and ended.is_after(written)) and all(stored.made <= written for stored in data.versions)


def _version(data: DataSet, stored: Stored) -> VersionStatus:
    counts = stored.version.manifest["counts"]
    return VersionStatus(
        stored.id,
        [alias for alias, id_ in data.aliases.items() if id_ == stored.id],
        counts["records"],
        counts["quarantined"],
        counts["filtered"],
        stored.version.manifest["bytes"],
        stored.made,
    )


def _of_plan(data: DataSet, outputs: Sequence[Outputs]) -> Iterator[tuple[Outputs, StageStatus]]:
    """The outputs on the newest plan's shards, as far as some lack, with their counts."""
    planned = {shard.id for shard in data.plans[-1].shards} if data.plans else set()
    expected = data.versions[-1].outputs if data.versions else set()
    for output in outputs:
        committed, begun = len(output.committed & planned), len(output.begun & planned)
        _, stage, fingerprint = output.prefix.split("/")
        if committed or begun or output.prefix in expected:
            yield output, StageStatus(stage, fingerprint, committed, len(planned), begun)


def _reasons(place: Storage, stored: Stored) -> dict[str, int]:
    """Why images are in quarantine, the most frequent first."""
    with suppress(MissingFile, DamagedVersion):  # which `verify` tells of
        entries = table_rows(place, stored.version, "quarantine.parquet")
        told = Counter(f"{e['stage']}: {e['reason'].split(chr(10))[0]}" for e in entries if e["kind"] == "failed")
        return dict(told.most_common(REASONS))
    return {}


def _commands(place: Storage, data: DataSet, newest: Stored | None, stopped: bool) -> Iterator[str]:
    given = given_in(place, command_of(data.name))
    again = given.again if given else shlex.join(_build(place, data.name, newest))
    if stopped:
        yield again
    if newest and newest.version.manifest["counts"]["quarantined"]:
        yield f"{again} {RETRY}"


def _build(place: Storage, name: str, newest: Stored | None) -> list[str]:
    """Of a build that noted no command: which file its configuration was in is not known, unless a ready one."""
    config = name if find_config(Path(name)) != Path(name) else "CONFIG.yaml"
    source = newest.version.manifest["source"] if newest else None
    told = ["--source", f"{source['kind']}:{source['uri']}"] if source else []
    return ["sluice", "dataset", "build", "-c", config, *told, "--out", place.uri]
