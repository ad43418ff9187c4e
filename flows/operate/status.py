"""`sluice status`: what there is, what runs, what failed, and the command that mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.flows.operate.composed import ComposedStatus, composed_status
from sluice.flows.operate.data_status import DataStatus, data_status
from sluice.flows.operate.making import unfinished
from sluice.flows.operate.stored import DataSet, NothingBuilt, data_set, data_set_names
from sluice.flows.operate.training_status import TrainingStatus, training_status
from sluice.flows.operate.trainings import NoTraining, trainings
from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.jobs import Job, Jobs
from sluice.infra.printable import printable
from sluice.infra.storage import Storage, storage
from sluice.preprocess.planning.plan import DamagedPlan
from sluice.preprocess.version.manifest import DamagedVersion


@dataclass(frozen=True)
class Status:
    """All that was asked about; `now` is in seconds since 1970, as are other times.

    `damaged` says of data sets and trainings that cannot be read what mends them.
    """

    now: float
    place: str
    data_sets: list[DataStatus]
    damaged: list[str]
    trainings: list[TrainingStatus]
    composed: list[ComposedStatus]
    jobs: list[Job]


def status(
    place: Storage | None, trained: Sequence[Path], composed: Sequence[str], cluster: Cluster | None = None
) -> Status:
    """By manifests, logs and listings, never by what they list; jobs are a cluster's.

    Raises NothingBuilt, unless jobs are asked for that may be about to build there, NoTraining of a folder without any,
    NothingComposed, NoSuchCluster.
    """
    now, damaged = time.time(), list[str]()
    found = list(_readable(place, damaged, bool(cluster))) if place else []
    outputs = unfinished(place, found) if place else []
    return Status(
        now,
        place.uri if place else "",
        [data_status(place, data, outputs, now) for data in found] if place else [],
        damaged,
        list(_of_trainings(trained, damaged)),
        [composed_status(storage(uri)) for uri in composed],
        Jobs(cluster).all() if cluster else [],
    )


def _readable(place: Storage, damaged: list[str], may_come: bool) -> Iterator[DataSet]:
    """The data sets of a place that are not damaged."""
    try:
        names = data_set_names(place)
    except NothingBuilt as error:
        if not may_come:
            raise
        damaged.append(str(error))
        return
    for name in names:
        try:
            yield data_set(place, name)
        except (DamagedVersion, DamagedPlan) as error:
            damaged.append(f"data set {printable(name)}: {error}")


def _of_trainings(folders: Sequence[Path], damaged: list[str]) -> Iterator[TrainingStatus]:
    for training in (own for folder in folders for own in trainings(folder)):
        try:
            yield training_status(training)
        except NoTraining as error:
            damaged.append(f"training {training.path}: {error}")
