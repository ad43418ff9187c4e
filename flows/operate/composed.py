"""How a folder of composed pictures stands."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, Storage

REASONS, READ = 3, 200
QUARANTINE = "quarantine/"


class NothingComposed(SluiceError):
    """A place holds no pictures of `sluice compose`."""


@dataclass(frozen=True)
class ComposedStatus:
    """Pictures made, in quarantine, and why: the reasons of the first 200, the most frequent first."""

    place: str
    made: int
    quarantined: int
    reasons: dict[str, int]


def composed_status(place: Storage) -> ComposedStatus:
    """By one listing. Raises NothingComposed."""
    paths = [entry.path for entry in place.list()]
    records = {path for path in paths if path.endswith(".json")}
    made = sum(path.endswith(".png") and f"{path[:-4]}.json" in records for path in paths if "/" not in path)
    bad = sorted(path for path in records if path.startswith(QUARANTINE))
    if not made and not bad:
        raise NothingComposed(f"{place.uri} holds no picture of `sluice compose`: name its --out")
    reasons: Counter[str] = Counter()
    for path in bad[:READ]:
        with suppress(MissingFile, ValueError):  # tried again since it was listed
            read = json.loads(place.read(path))
            told = read.get("reason") if isinstance(read, dict) else "its record is damaged"
            reasons[str(told or "a row that is wrong")] += 1
    return ComposedStatus(place.uri, made, len(bad), dict(reasons.most_common(REASONS)))
