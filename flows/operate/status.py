"""`sluice status`: what there is, what runs, what failed, and the command that mends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.flows.operate.composed import ComposedStatus, composed_status
from sluice.flows.operate.data_status import DataStatus, data_status
from sluice.flows.operate.making import unfinished
from sluice.flows.operate.stored import DataSet, data_set, data_set_names
from sluice.flows.operate.training_status import TrainingStatus, training_status
from sluice.flows.operate.trainings import trainings
from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.jobs import Job, Jobs
from sluice.infra.storage import Storage, storage
from sluice.preprocess.planning.plan import DamagedPlan
from sluice.preprocess.version.manifest import DamagedVersion


@dataclass(frozen=True)
class Status:
    """All that was asked about; `now` is in seconds since 1970, as are other times.

    `damaged` says of data sets that cannot be read what mends them.
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

    Raises NothingBuilt, NoTraining, NothingComposed, NoSuchCluster.
    """
    now = time.time()
    found, damaged = _readable(place) if place else ([], [])
    outputs = unfinished(place, found) if place else []
    return Status(
        now,
        place.uri if place else "",
        [data_status(place, data, outputs, now) for data in found] if place else [],
        damaged,
        [training_status(training) for folder in trained for training in trainings(folder)],
        [composed_status(storage(uri)) for uri in composed],
        Jobs(cluster).all() if cluster else [],
    )


def _readable(place: Storage) -> tuple[list[DataSet], list[str]]:
    """The data sets of a place, and what is said of those that are damaged."""
    found, damaged = [], []
    for name in data_set_names(place):
        try:
            found.append(data_set(place, name))
        except (DamagedVersion, DamagedPlan) as error:
            damaged.append(f"data set {name}: {error}")
    return found, damaged
