"""What ended a run before its end: a note in its outputs, until the same is run again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from sluice.flows.observe.page import is_interrupt
from sluice.infra.shape import read_shaped
from sluice.infra.storage import MissingFile, Storage

log = logging.getLogger("sluice.observe")

LAST_WORDS = 10.0
"""Seconds for which workers that are being ended may still write."""


class _Noted(BaseModel):
    how: Literal["failed", "interrupted"]
    why: str


@dataclass(frozen=True)
class Ending:
    """`how` a run ended, `failed` or `interrupted`, and `why`; `when` is in seconds since 1970, by the storage."""

    how: str
    why: str
    when: float

    def is_after(self, written: float) -> bool:
        """Whether what was written then is of the run that ended, whose workers are ended meanwhile."""
        return written <= self.when + LAST_WORDS


def note_of(dataset: str) -> str:
    """Where the note of a data set's build lies, in its storage."""
    return f"datasets/{dataset}/run/ended.json"


@contextmanager
def noting(place: Storage, path: str) -> Iterator[None]:
    """Forget how the run before ended, and note at `path` what ends this one.

    One that ends well forgets what was noted meanwhile, too, by another beside it. What goes wrong with a note is
    logged, and no more.
    """
    forget(place, path)
    try:
        yield
    except BaseException as error:
        how = "interrupted" if is_interrupt(error) else "failed"
        with logged(path):
            place.write(path, json.dumps({"how": how, "why": str(error) or type(error).__name__}).encode())
        raise
    forget(place, path)


def forget(place: Storage, path: str) -> None:
    """Take the note of how a run ended away."""
    with logged(path):
        if place.head(path) is not None:
            place.delete([path])


def ending_of(place: Storage, path: str) -> Ending | None:
    """How the last run ended; None where it is done, goes on, or was killed, which leaves no note."""
    entry = place.head(path)
    try:
        said = read_shaped(_Noted, place.read(path))
    except (MissingFile, ValueError):  # there is none, or it is damaged
        return None
    return Ending(said["how"], said["why"], entry.modified) if entry else None


@contextmanager
def logged(path: str) -> Iterator[None]:
    """What goes wrong with a note is logged, and no more."""
    try:
        yield
    except Exception as error:  # a run is worth more than a note on it
        log.warning("the note of this run, %s, could not be written: %s", path, error)
