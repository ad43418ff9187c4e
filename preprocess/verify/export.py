"""The merged shards of a version: they must hold exactly what the stages' tars hold."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, cast

import pyarrow.parquet as pq
from pyarrow import ArrowException

from sluice.infra.storage import MissingFile, Storage
from sluice.infra.tables import DamagedTable
from sluice.preprocess.shards import ShardError, read_shard
from sluice.preprocess.verify.problems import ANEW, REBUILD, Problem, first, problems
from sluice.preprocess.verify.shard import Contents
from sluice.preprocess.version.export import Exported, read_export, scalars
from sluice.preprocess.version.manifest import Version
from sluice.preprocess.version.reading import Digested, StageOutput

Fields = dict[str, dict[str, bytes]]


def rewrite(version: Version) -> str:
    """What makes a version's own files anew."""
    return f"delete {version.prefix}/export.json and run the same build again, which writes {version.id} anew"


def load_export(storage: Storage, version: Version) -> tuple[dict[str, Exported] | None, list[Problem]]:
    """The merged shards that `export.json` lists, None where it cannot be had, and what is wrong with it."""
    path = f"{version.prefix}/export.json"
    if storage.head(path) is None:
        return None, [Problem(path, "is missing; it lists the merged shards and their digests", REBUILD)]
    try:
        return read_export(storage, version.prefix), []
    except (ValueError, TypeError, KeyError) as error:
        return None, [Problem(path, f"does not read as a list of merged shards ({error})", REBUILD)]


@dataclass(frozen=True)
class ExportCheck:
    """Checks the merged shards of one version against what its stages' tars were found to hold."""

    storage: Storage
    version: Version
    exported: Mapping[str, Exported]

    def target(self, ordinal: int) -> str:
        return f"{self.version.prefix}/{self.version.dataset}-{ordinal:05d}"

    def check(self, outputs: Sequence[StageOutput], contents: Contents) -> list[Problem]:
        """A merged shard's tar (where one was asked for) and its parquet."""
        target = self.target(outputs[0].ordinal)
        entry = self.exported.get(target)
        if entry is None:
            path = f"{self.version.prefix}/export.json"
            return [Problem(path, f"does not list {target}", rewrite(self.version))]
        fields = _merged(contents) if contents.whole.keys() == {o.stage for o in outputs} else None
        tar = self._check_tar(entry, fields) if entry.digest else []
        return [*tar, *self._check_parquet(f"{target}.parquet", outputs)]

    def _check_tar(self, entry: Exported, fields: Fields | None) -> list[Problem]:
        path = f"{entry.target}.tar"
        head = self.storage.head(path)
        if head is None:
            return [Problem(path, f"is missing; it had {entry.size:,} bytes", REBUILD)]
        if head.size != entry.size:
            what = f"has {head.size:,} bytes, where {entry.size:,} were written"
            return [Problem(path, what, REBUILD)]
        with self.storage.open(path) as raw:
            stream = Digested(raw)
            wrong = list(_differences(stream, fields))
            digest = stream.finish()
        if digest != entry.digest:
            what = "; ".join([f"its SHA-256 is {digest}, where {entry.digest} was written", *first(wrong)])
            return [Problem(path, what, ANEW)]
        return problems(path, wrong, ANEW)

    def _check_parquet(self, path: str, outputs: Sequence[StageOutput]) -> list[Problem]:
        try:
            found = pq.read_table(io.BytesIO(self.storage.read(path))).to_pylist()
        except MissingFile:
            return [Problem(path, "is missing; it holds the scalars of the records", REBUILD)]
        except (ArrowException, OSError) as error:
            return [Problem(path, f"does not read as parquet ({error})", ANEW)]
        try:
            expected = scalars(self.storage, [asdict(output) for output in outputs])
        except (DamagedTable, OSError, KeyError):
            return []  # a sidecar is missing or damaged, which is a problem of its own
        return problems(path, _unlike(found, expected), ANEW)


def _merged(contents: Contents) -> Fields:
    """The records that every stage kept."""
    kept = frozenset.intersection(*contents.whole.values())
    return {key: contents.digests[key] for key in kept}


def _differences(stream: Digested, fields: Fields | None) -> Iterator[str]:
    """How a merged tar differs from the fields of its stages."""
    left = dict(fields or {})
    try:
        for key, encoded in read_shard(cast(BinaryIO, stream), name="it"):
            if fields is None:
                continue
            expected = left.pop(key, {})
            found = {name: hashlib.sha256(data).digest() for name, data in encoded.items()}
            names = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
            if names:
                yield f"record {key} differs from its stages' tars in {', '.join(names)}"
    except ShardError as error:
        yield str(error)
        return
    for key in sorted(left):
        yield f"record {key} is missing"


def _unlike(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by_key = {row["key"]: row for row in expected}
    for row in found:
        if by_key.pop(row.get("key", ""), None) != row:
            yield f"the row of record {row.get('key')} differs from the sidecars of the stages"
    for key in sorted(by_key):
        yield f"the row of record {key} is missing"
