"""Commits: a unit's output exists when its small json does, and that is written last.

`<prefix>/<unit>-<digest>.tar` first, `<prefix>/<unit>.json` then. A crash, or a second driver, can leave a tar that
nobody refers to, never a commit without its tar. Every 1,000 commits are rolled up into one parquet file, so that
resuming a run of 100,000 units reads a hundred files.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from sys import intern
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Entry, MissingFile, PermissionDenied, Storage
from sluice.infra.tables import DamagedTable, read_table

ROLL_UP = 1000
READERS = 16
FIRST = 1000
CLAIM, CLAIM_SECONDS = "in-use", 3600
"""A file beside commits: its time is when somebody last read them all, as a build does that may name them."""


DAMAGED = (ValueError, TypeError, AttributeError)
"""What a text that is no commit is met with."""


KINDS = (
    *((name, str) for name in ("unit", "file", "digest")),
    *((name, int) for name in ("size", "records")),
    *((name, dict) for name in ("inputs", "facts")),
    ("quarantined", list),
    ("sidecar", str | None),
)
"""Of a commit's fields. A million are read at once, so that no more is looked at than what is asked of each."""


LEFT_OUT = {"key", "uri", "stage", "kind", "reason"}
"""What is said of a record that a unit left out."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a unit made: the file that holds it, its SHA-256 and size, what it was made from, and what it says.

    `inputs` are the digests of the outputs it read; `quarantined` what it left out; `sidecar` a parquet file with a row
    for each record; `facts` timings and versions.
    """

    unit: str
    file: str
    digest: str
    size: int
    records: int
    inputs: dict[str, str] = field(default_factory=dict)
    quarantined: list[dict[str, str]] = field(default_factory=list)
    sidecar: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def _commit(text: str) -> Commit:
    """A commit as it was written; what it says as all others do is in memory once, as a driver holds a million."""
    commit: Commit = Commit(**json.loads(text, object_pairs_hook=_named_alike))
    known = all(isinstance(getattr(commit, name), kind) for name, kind in KINDS)
    if not known or not _are_texts(commit.inputs) or not all(map(_is_left_out, commit.quarantined)):
        raise ValueError("a value of another type than a commit's")
    if versions := commit.facts.get("versions"):
        commit.facts["versions"] = _shared(tuple(versions.items()))
    return commit


def _are_texts(named: dict[str, Any]) -> bool:
    return all(isinstance(value, str) for value in named.values())


def _is_left_out(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.keys() >= LEFT_OUT and _are_texts(entry)


def _named_alike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {intern(name): value for name, value in pairs}


@cache
def _shared(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(items)


class CommitLog:
    """The commits under one prefix of a storage."""

    def __init__(self, storage: Storage, prefix: str) -> None:
        self.storage, self.prefix = storage, prefix

    def path(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def get(self, unit: str) -> Commit | None:
        """A unit's commit, or None where it has not been made or is damaged."""
        return self._load(self.path(f"{unit}.json"))

    def valid(self, unit: str) -> Commit | None:
        """A unit's commit, where the file it names is still there in its full size, and its sidecar too."""
        commit = self.get(unit)
        if commit is None:
            return None
        files = [name for name in (commit.file, commit.sidecar) if name]
        entries = [self.storage.head(self.path(name)) for name in files]
        whole = all(entries) and entries[0] is not None and entries[0].size == commit.size
        return commit if whole else None

    def clear(self) -> None:
        """Delete everything under the prefix."""
        self.storage.delete([entry.path for entry in self.storage.list(f"{self.prefix}/")])

    def put(self, commit: Commit, local: Path, sidecar: Path | None = None) -> None:
        """Put the output (and its sidecar) where the commit says, then the commit. Doing it twice changes nothing."""
        if commit.sidecar is not None and sidecar is not None:
            self.storage.upload(self.path(commit.sidecar), sidecar)
        self.storage.upload(self.path(commit.file), local)
        self.write(commit)

    def write(self, commit: Commit) -> None:
        """The commit of an output that lies there already."""
        self.storage.write(self.path(f"{commit.unit}.json"), json.dumps(asdict(commit), sort_keys=True).encode())

    def all(self) -> dict[str, Commit]:
        """Every commit whose file is there in its full size, by unit; from the roll-ups and the newer json files."""
        self._claim()
        entries = list(self.storage.list(self.prefix + "/"))
        rolled = self._rolled(entries)
        news = [e for e in _commit_entries(entries, self.prefix) if rolled.get(e.path, (None, ""))[1] != e.stamp]
        with ThreadPoolExecutor(READERS) as readers:
            loaded = list(readers.map(lambda e: (e, self._load(e.path)), news))
        fresh = [(e, c) for e, c in loaded if c is not None]
        live = {e.path for e in _commit_entries(entries, self.prefix)}
        commits = {c.unit: c for path, (c, _) in rolled.items() if path in live and c is not None}
        commits.update({c.unit: c for _, c in fresh})
        if len(fresh) >= ROLL_UP:
            self._roll_up(fresh, len(rolled))
        sizes = {e.path: e.size for e in entries}
        return {
            unit: c
            for unit, c in commits.items()
            if sizes.get(self.path(c.file)) == c.size and (not c.sidecar or self.path(c.sidecar) in sizes)
        }

    def _claim(self) -> None:
        """Keep garbage collection from commits that are older than an hour, before they are listed: none goes then.

        The first of them tell, as a listing of all may take minutes.
        """
        first = [entry.modified for entry in islice(self.storage.list(f"{self.prefix}/"), FIRST)]
        if first and _is_old(max(first)):
            claim = self.storage.head(self.path(CLAIM))
            if claim is None or _is_old(claim.modified):
                with suppress(PermissionDenied):  # who may not write does not build
                    self.storage.write(self.path(CLAIM), b"")

    def _load(self, path: str) -> Commit | None:
        try:
            return _commit(self.storage.read(path).decode())
        except (MissingFile, *DAMAGED):  # gone since it was listed, or damaged: the unit runs again
            return None

    def _rolled(self, entries: Sequence[Entry]) -> dict[str, tuple[Commit | None, str]]:
        rolled: dict[str, tuple[Commit | None, str]] = {}
        for entry in entries:
            if entry.path.startswith(self.path("roll-up-")):
                with suppress(DamagedTable, *DAMAGED):  # the commits that it sums up lie beside it
                    for row in read_table(self.storage, entry.path).to_pylist():
                        rolled[row["path"]] = (_commit(row["commit"]), row["stamp"])
        return rolled

    def _roll_up(self, fresh: Sequence[tuple[Entry, Commit]], before: int) -> None:
        for start in range(0, len(fresh) - ROLL_UP + 1, ROLL_UP):
            part = fresh[start : start + ROLL_UP]
            table = pa.table(
                {
                    "path": [e.path for e, _ in part],
                    "stamp": [e.stamp for e, _ in part],
                    "commit": [json.dumps(asdict(c), sort_keys=True) for _, c in part],
                }
            )
            stream = io.BytesIO()
            pq.write_table(table, stream)
            self.storage.write(self.path(f"roll-up-{before + start:09d}.parquet"), stream.getvalue())


def _is_old(modified: float) -> bool:
    """By either clock."""
    return abs(time.time() - modified) > CLAIM_SECONDS


def _commit_entries(entries: Sequence[Entry], prefix: str) -> Iterator[Entry]:
    for entry in entries:
        name = entry.path[len(prefix) + 1 :]
        if name.endswith(".json") and "/" not in name:
            yield entry
