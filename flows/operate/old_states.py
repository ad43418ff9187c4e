"""Checkpoints that nobody goes on from."""

from __future__ import annotations

import re

from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.trainings import TrainingFolder
from sluice.infra.lock import alone_in

STATE = re.compile(r"\d{9}\.pt")


def old_states(training: TrainingFolder, since: float) -> Doomed:
    """Of a training that is done, all checkpoints but the last; of any, states older than `since` without a note."""
    place, steps = training.states, training.checkpoints
    going = [f"{step:09}" for step in steps[:-1]] if training.finished else []
    entries = {entry.path: entry for entry in place.list()}
    nameless = [
        path
        for path, entry in entries.items()
        if STATE.fullmatch(path) and f"{path[:-3]}.json" not in entries and entry.modified <= since
    ]
    names, files = [f"{name}.json" for name in going], [f"{name}.pt" for name in going] + nameless
    size = sum(entries[path].size for path in (*names, *files) if path in entries)
    return Doomed(f"training {training.path}: {len(names)} checkpoints", names, files, size)


def delete_states(training: TrainingFolder, doomed: Doomed) -> None:
    """Notes before states, as nobody trains. Raises Occupied."""
    with alone_in(training.held_folder):
        training.states.delete(doomed.names)
        training.states.delete(doomed.files)
