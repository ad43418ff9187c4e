"""`sluice gc`: outputs, versions and checkpoints that nothing kept needs; dry unless told to delete."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.flows.operate.activity import Activity, activity
from sluice.flows.operate.doomed import Doomed, doomed_outputs, doomed_versions
from sluice.flows.operate.keeping import Kept, Wish, kept
from sluice.flows.operate.making import stage_prefixes
from sluice.flows.operate.old_states import delete_states, old_states
from sluice.flows.operate.stored import data_sets
from sluice.flows.operate.trainings import TrainingFolder, trainings
from sluice.infra.storage import Storage

BATCH = 1000
PROBE = "gc-clock"
"""Always of this name, so that not each try of who may not delete leaves another."""


@dataclass(frozen=True)
class GarbageCollection:
    """One run: what to keep, how young is too young, in seconds, and whether to delete or only to say."""

    wish: Wish
    grace: float
    delete: bool

    def __call__(self, place: Storage | None, trained: Sequence[Path]) -> Iterator[Kept | Activity | Doomed | str]:
        """What is kept, who is at work, and each group that goes (went, by the time it is told); lines of what stays.

        Raises NothingBuilt, NoTraining, DamagedVersion, DamagedPlan and StorageError, each before anything is deleted
        that could be needed.
        """
        own = [training for folder in trained for training in trainings(folder)]
        if place is not None:
            yield from self._of_data(place, own)
        for training in own:
            yield from self._of_training(training)

    def _of_data(self, place: Storage, trained: Sequence[TrainingFolder]) -> Iterator[Kept | Activity | Doomed | str]:
        found = data_sets(place)
        since = (clock_of(place) if self.delete else time.time()) - self.grace
        active = activity(place, found, since)
        found = data_sets(place)  # as they are after that listing, which may take minutes
        keeps = [kept(data, self.wish, trained, active.used, since) for data in found]
        yield from keeps
        yield active
        for keep in keeps:
            for doomed in doomed_versions(place, keep, active):
                yield from self._go(place, doomed, since)
        for prefix in stage_prefixes(place):
            outputs = doomed_outputs(place, prefix, keeps, active)
            if outputs is not None:
                yield from self._go(place, outputs, since)
        if self.delete:
            place.sweep(self.grace)

    def _go(self, place: Storage, doomed: Doomed, since: float) -> Iterator[Doomed | str]:
        if self.delete and not delete(place, doomed, since):
            yield f"{doomed.what}: somebody uses it since a moment ago, and what is left of it stays"
        else:
            yield doomed

    def _of_training(self, training: TrainingFolder) -> Iterator[Doomed | str]:
        if training.held:
            yield f"training {training.path}: it runs, and its checkpoints stay"
            return
        doomed = old_states(training, time.time() - self.grace)
        if doomed.count:
            if self.delete:
                delete_states(training, doomed)
            yield doomed


def delete(place: Storage, doomed: Doomed, since: float) -> bool:
    """Take files away, names before what they name; False where somebody claimed them, as it began or on the way."""
    for paths in (doomed.names, doomed.files):
        for start in range(0, len(paths), BATCH):
            claims = [place.head(claim) for claim in doomed.claims]
            if claims and all(claim is not None and claim.modified > since for claim in claims):
                return False
            place.delete(paths[start : start + BATCH])
    return True


def clock_of(place: Storage) -> float:
    """The time by the clock of who keeps the files, seconds since 1970. Who may not write and delete learns it here."""
    place.write(PROBE, b"")
    listed = next((entry for entry in place.list(PROBE) if entry.path == PROBE), None)  # as what it is compared with
    place.delete([PROBE])
    return listed.modified if listed else clock_of(place)  # else another one's collection took it
