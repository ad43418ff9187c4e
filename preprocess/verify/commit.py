"""What lies beside a stage's tar: its commit, and the sidecar with its records' scalars."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from pyarrow import ArrowException

from sluice.infra.commits import CommitLog
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.record import Record
from sluice.preprocess.units.measures import measure
from sluice.preprocess.verify.problems import ANEW, REBUILD, Problem
from sluice.preprocess.version.reading import StageOutput

TOLERANCE = 1e-5
Scalars = Mapping[str, Mapping[str, Any]]


def check_commit(storage: Storage, output: StageOutput) -> list[Problem]:
    """The commit must vouch for the output, or for a newer one (after `build --retry`), of which a later version is."""
    commit = CommitLog(storage, output.prefix).get(output.shard)
    if commit is None and storage.head(output.commit) is not None:
        return [Problem(output.commit, "does not read as a commit, and so the tar does not count", ANEW)]
    if commit is None:
        return [Problem(output.commit, "is missing; without its commit the tar does not count", REBUILD)]
    file = f"{output.prefix}/{commit.file}"
    if commit.unit != output.shard or not commit.file.startswith(f"{output.shard}-"):
        what = f"is the commit of {commit.unit} with {commit.file}, where it must be that of {output.shard}"
        return [Problem(output.commit, what, ANEW)]
    if file != output.file:
        entry = storage.head(file)
        if entry is not None and entry.size == commit.size:
            return []
        return [Problem(output.commit, f"points to {commit.file}, which is not there whole", ANEW)]
    said = {"digest": commit.digest, "size": commit.size, "records": commit.records}
    expected = {"digest": output.digest, "size": output.bytes, "records": output.records}
    wrong = [
        f"{name} {said[name]}, where the version says {expected[name]}" for name in said if said[name] != expected[name]
    ]
    return [Problem(output.commit, f"says {'; '.join(wrong)}", ANEW)] if wrong else []


def sidecar_remedy(output: StageOutput) -> str:
    """What makes a sidecar anew: only the whole unit does."""
    return f"delete {output.commit} and run the same build again, which makes both anew"


def read_sidecar(storage: Storage, output: StageOutput) -> tuple[Scalars | None, list[Problem]]:
    """The scalars of an output's records by key, None where they cannot be had, and what is wrong with the file."""
    if not output.sidecar:
        return {}, []
    try:
        rows = pq.read_table(io.BytesIO(storage.read(output.sidecar))).to_pylist()
        return {row["key"]: row for row in rows}, []
    except MissingFile:
        what = "is missing; it holds the scalars of the records"
    except (ArrowException, OSError, KeyError) as error:
        what = f"does not read as a parquet file with keys ({error})"
    return None, [Problem(output.sidecar, what, sidecar_remedy(output))]


def unlike(record: Record, writes: Sequence[str], row: Mapping[str, Any] | None) -> Iterator[str]:
    """Where a sidecar's row does not say what the record's fields say."""
    if row is None:
        yield f"record {record.key} is missing"
        return
    try:
        measured = measure(record, writes)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        yield f"record {record.key} cannot be measured ({type(error).__name__}: {error})"
        return
    for name, value in measured.items():
        said = row.get(name)
        close = isinstance(value, float) and isinstance(said, float) and math.isclose(value, said, abs_tol=TOLERANCE)
        if said != value and not close:
            yield f"{name} of record {record.key} is {said!r}, where its fields give {value!r}"
