"""What a job says, to its end, over connections that break."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sluice.flows.submit.jobs import ENDED, Jobs
from sluice.flows.submit.speaking import NoSuchCluster

PAUSE = 5.0
"""Seconds before a broken connection is made again."""
PATIENCE = 600.0
"""Seconds without an answer after which the cluster counts as gone."""


def follow(jobs: Jobs, id: str) -> Iterator[str]:
    """What a job says, each of it once. Raises WrongJob, and NoSuchCluster where it answers no more."""
    jobs.named(id)
    said, heard = 0, time.monotonic()
    while True:
        began = time.monotonic()
        try:
            if jobs.named(id).state not in ENDED:  # of one that has ended, only its log counts as an answer
                heard = began
            for text in _behind(jobs.tail(id), said):
                said += len(text)
                yield text
            if jobs.named(id).state in ENDED:
                return
        except NoSuchCluster as error:
            if began - heard > PATIENCE:
                raise NoSuchCluster(f"{error} {id} may go on, and is followed no more.") from error
        time.sleep(PAUSE)


def _behind(said: Iterator[str], skipped: int) -> Iterator[str]:
    """A log from its start, without what was heard of it before."""
    for text in said:
        if fresh := text[skipped:]:
            yield fresh
        skipped = max(0, skipped - len(text))
