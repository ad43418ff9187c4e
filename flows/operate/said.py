"""A status as text: a screen of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sluice.flows.operate.composed import ComposedStatus
from sluice.flows.operate.data_status import RECENT, DataStatus, VersionStatus
from sluice.flows.operate.status import Status
from sluice.flows.operate.training_status import TrainingStatus
from sluice.flows.submit.jobs import Job
from sluice.infra.page.text import bytes_text, count_text, seconds_text
from sluice.infra.printable import printable, printable_lines

SHOWN = 5
"""Of a data set's versions, the newest."""


def said(status: Status, cluster: str | None) -> Iterator[str]:
    """Lines, those to be mended with the command below them; `cluster` is the name of whose jobs are told."""
    for data in status.data_sets:
        yield from _data(data, status.now)
    yield from status.damaged
    for training in status.trainings:
        yield from _training(training)
    for composed in status.composed:
        yield from _composed(composed)
    if cluster and not status.jobs:
        yield f"no jobs of `sluice submit` on {cluster}"
    for job in status.jobs:
        yield from _job(job, status.now, cluster)


def _data(data: DataStatus, now: float) -> Iterator[str]:
    many = len(data.versions)
    yield f"data set {printable(data.name)}: {_counted(many, 'version')}, {_counted(data.planned, 'planned shard')}"
    yield from (_version(version) for version in data.versions[: -SHOWN - 1 : -1])
    if many > SHOWN:
        yield f"  and {many - SHOWN} older"
    for stage in data.left:
        begun = f", {stage.begun} begun" if stage.begun else ""
        yield f"  {stage.stage} {stage.fingerprint[:12]}: {stage.committed} of {stage.planned} units committed{begun}"
    for version in data.merging:
        yield f"  {version.id}: no manifest yet, {_counted(version.shards, 'shard')} merged"
    yield from _last_build(data, now)
    yield from (f"  quarantined: {count} x {printable(reason)}" for reason, count in data.reasons.items())
    yield from (f"    {printable(command)}" for command in data.commands)


def _last_build(data: DataStatus, now: float) -> Iterator[str]:
    """What ended it, and whether one seems to run that has written something since."""
    if data.ended is not None:
        why = f": {printable_lines(data.ended.why)}".replace("\n", "\n    ") if data.ended.how == "failed" else ""
        yield f"  the last build {data.ended.how} {seconds_text(max(0.0, now - data.ended.when))} ago{why}"
    if data.written is not None and not (data.ended and data.ended.is_after(data.written)):
        ago = seconds_text(max(0.0, now - data.written))
        who = "build or removal" if data.merging else "build"
        if any(version.made > data.written for version in data.versions):
            yield f"  no {who} has written since the newest version; `sluice gc` deletes of these what no version needs"
        else:
            seems = f"{'a' if data.seems_to_run else 'no'} {who} seems to run"
            yield f"  {seems}: its newest file is {ago} old (under {RECENT // 60} min counts as running)"


def _version(version: VersionStatus) -> str:
    left = ", ".join(f"{count_text(n)} {what}" for n, what in _left(version) if n)
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    made = datetime.fromtimestamp(version.made).astimezone()
    counted = f"{count_text(version.records)} records" + (f", {left}" if left else "")
    return f"  {version.id}{aliases}: {counted}; {bytes_text(version.bytes)}; {made:%Y-%m-%d %H:%M}"


def _left(version: VersionStatus) -> tuple[tuple[int, str], ...]:
    return (version.quarantined, "quarantined"), (version.filtered, "filtered")


def _training(training: TrainingStatus) -> Iterator[str]:
    total = f" of {training.steps}" if training.steps else ""
    loss = f", loss {training.figures['loss']:.4g}" if "loss" in training.figures else ""
    yield f"training {training.folder}: {training.what}, {training.state}, step {training.step}{total}{loss}"
    if training.left_out:
        yield f"  left out: {_counted(training.left_out, 'record')} of batches without a finite loss, in left-out.txt"
    if training.command:
        kept = (
            f"from its checkpoint after step {training.kept}" if training.kept else "from the beginning: no checkpoint"
        )
        yield f"  goes on {kept}, by"
        yield f"    {training.command}"


def _composed(composed: ComposedStatus) -> Iterator[str]:
    bad = f", {composed.quarantined} in quarantine" if composed.quarantined else ""
    yield f"composed {composed.place}: {_counted(composed.made, 'picture')}{bad}"
    yield from (f"  quarantined: {count} x {reason}" for reason, count in composed.reasons.items())
    if composed.quarantined:
        yield "    the same `sluice compose` command tries again those that were not found unsafe"


def _job(job: Job, now: float, cluster: str | None) -> Iterator[str]:
    since = job.ended or job.began
    ago = "" if since is None else f", {'ended' if job.ended else 'begun'} {seconds_text(max(0.0, now - since))} ago"
    yield f"job {job.id}: {job.state.lower()}{ago}: {job.command}"
    if job.state == "FAILED":
        yield f"  {job.message}"
        yield f"    sluice logs {job.id} --cluster {cluster} says why; another --id of `sluice submit` starts it anew"


def _counted(count: int, what: str) -> str:
    return f"{count_text(count)} {what}{'' if count == 1 else 's'}"
