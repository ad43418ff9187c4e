"""Tombstones: keys that no build brings back. Only digests of them are kept, so that no file names what is gone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sluice.infra.errors import SluiceError
from sluice.infra.storage import Storage

PREFIX = "removed"
DIGITS = 32
TOMBSTONE = re.compile(f"[0-9a-f]{{{DIGITS}}}")


class DamagedTombstones(SluiceError):
    """A list of removed keys cannot be read."""


class TakenDown(SluiceError):
    """Records of a build were removed since it was planned."""

    exit_code = 1


def tombstone(key: str) -> str:
    """32 hex digits of the SHA-256 of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class Removed:
    """Removed keys by their tombstones: `key in removed`."""

    tombstones: frozenset[str] = frozenset()

    def __contains__(self, key: str) -> bool:
        return bool(self.tombstones) and tombstone(key) in self.tombstones

    def __bool__(self) -> bool:
        return bool(self.tombstones)

    @property
    def digest(self) -> str:
        """SHA-256 (16 hex digits) of them all."""
        return hashlib.sha256("".join(sorted(self.tombstones)).encode()).hexdigest()[:16]


def removed_keys(keys: Iterable[str]) -> Removed:
    """These keys as removed ones."""
    return Removed(frozenset(map(tombstone, keys)))


def read_removed(storage: Storage) -> Removed:
    """All that was ever removed from the data sets of a storage. Raises DamagedTombstones."""
    found: set[str] = set()
    for entry in storage.list(f"{PREFIX}/"):
        try:
            found.update(_tombstones(json.loads(storage.read(entry.path))))
        except (ValueError, TypeError) as error:
            raise DamagedTombstones(
                f"{storage.uri}/{entry.path} is damaged ({error}), and a build without it would bring back what was "
                "removed. Delete it and remove the same keys again with `sluice dataset remove`."
            ) from error
    return Removed(frozenset(found))


def _tombstones(said: Any) -> list[str]:
    if not isinstance(said, list) or not all(isinstance(own, str) and TOMBSTONE.fullmatch(own) for own in said):
        raise TypeError("it is no list of tombstones")
    return said


def bury(storage: Storage, removed: Removed) -> None:
    """Keep tombstones for good: a file for each removal, named by what it says, so that two at once do not collide."""
    data = json.dumps(sorted(removed.tombstones)).encode()
    path = f"{PREFIX}/{hashlib.sha256(data).hexdigest()[:16]}.json"
    if storage.head(path) is None:
        storage.write(path, data)
