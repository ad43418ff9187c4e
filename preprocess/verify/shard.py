"""One shard of a version, looked at whole: every stage's tar, and every field of every record in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO, cast

from sluice.infra.storage import Storage
from sluice.preprocess.record import Record, check_value, field_named
from sluice.preprocess.shards import ShardError, read_shard
from sluice.preprocess.verify.commit import Scalars, check_commit, read_sidecar, sidecar_remedy, unlike
from sluice.preprocess.verify.problems import ANEW, REBUILD, Problem, first, flat, problems
from sluice.preprocess.version.reading import Digested, StageOutput


@dataclass(frozen=True)
class StageFacts:
    """What the manifest says of a stage: the fields it writes, and the line of stages down to itself."""

    writes: tuple[str, ...]
    line: frozenset[str]


@dataclass
class Contents:
    """What a shard's tars hold: image sizes by key, SHA-256 of each field by key, and the keys of each whole tar."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    digests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    whole: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardCheck:
    """Checks one shard.

    `planned` are the keys of its rows, None where these are lost; `left_out` says which stage let a key go; `owner`
    names the file of the version that has a digest.
    """

    storage: Storage
    stages: Mapping[str, StageFacts]
    planned: frozenset[str] | None
    left_out: Mapping[str, str]
    owner: Callable[[str], str | None]
    contents: Contents = field(default_factory=Contents)

    def check(self, outputs: Sequence[StageOutput]) -> list[Problem]:
        """Every output of the shard; first the one with the images, whose sizes the other fields must have."""
        ordered = sorted(outputs, key=lambda o: "jpg" not in self.stages[o.stage].writes)
        return flat(self._check_output(output) for output in ordered)

    def _check_output(self, output: StageOutput) -> list[Problem]:
        scalars, found = read_sidecar(self.storage, output)
        found += check_commit(self.storage, output)
        entry = self.storage.head(output.file)
        if entry is None:
            return [*found, Problem(output.file, f"is missing; it had {output.bytes:,} bytes", REBUILD)]
        if entry.size != output.bytes:
            return [*found, self._wrong_size(output, entry.size)]
        return found + self._check_tar(output, scalars)

    def _wrong_size(self, output: StageOutput, size: int) -> Problem:
        with self.storage.open(output.file) as raw:
            owner = self.owner(Digested(raw).finish())
        how = "is cut short" if size < output.bytes else "is too long"
        what = f"{how}: {size:,} bytes, where {output.bytes:,} were written"
        return Problem(output.file, f"{what}; these are the bytes of {owner}" if owner else what, ANEW)

    def _check_tar(self, output: StageOutput, scalars: Scalars | None) -> list[Problem]:
        keys: list[str] = []
        wrong: list[str] = []
        beside: list[str] = []
        with self.storage.open(output.file) as raw:
            stream = Digested(raw)
            try:
                for key, encoded in read_shard(cast(BinaryIO, stream), name="it"):
                    keys.append(key)
                    record = Record(key, encoded)
                    found = list(self._check_record(record, output.stage))
                    wrong += found
                    if scalars is not None and not found:
                        beside += unlike(record, self.stages[output.stage].writes, scalars.get(key))
            except ShardError as error:
                wrong.append(str(error))
            digest = stream.finish()
        if digest != output.digest:
            return [self._damaged(output, digest, len(keys), [*wrong, *beside])]
        self.contents.whole[output.stage] = frozenset(keys)
        wrong += self._check_keys(output, keys)
        remedy = f"{ANEW}; if the new one is no better, stage '{output.stage}' is at fault"
        return [
            *problems(output.file, wrong, remedy),
            *problems(output.sidecar or output.commit, beside, sidecar_remedy(output)),
        ]

    def _damaged(self, output: StageOutput, digest: str, records: int, wrong: Sequence[str]) -> Problem:
        owner = self.owner(digest)
        if owner is not None:
            seen = [f"these are the bytes of {owner}"]
        elif records != output.records:
            seen = [*wrong, f"only {records} of {output.records} records can be read"]
        else:
            seen = list(wrong) or ["every record still decodes: the damage changed values, or lies between the records"]
        what = f"its SHA-256 is {digest}, where {output.digest} was written: {'; '.join(first(seen))}"
        return Problem(output.file, what, ANEW)

    def _check_record(self, record: Record, stage: str) -> Iterator[str]:
        there, writes = sorted(record.encoded), sorted(self.stages[stage].writes)
        if there != writes:
            yield f"record {record.key} has {', '.join(there)}, where stage '{stage}' writes {', '.join(writes)}"
        digests = self.contents.digests.setdefault(record.key, {})
        for name in sorted(there, key=lambda n: n != "jpg"):
            digests[name] = hashlib.sha256(record.encoded[name]).digest()
            wrong = self._check_field(record, name)
            if wrong:
                yield f"record {record.key}: {wrong}"

    def _check_field(self, record: Record, name: str) -> str | None:
        try:
            value = record[name]
        except Exception as error:  # a decoder may raise anything on bytes it was never meant for
            return f"{name}: does not decode ({str(error).strip()})"
        if name == "jpg":
            self.contents.sizes[record.key] = value.shape[:2]
        if name == "json":
            return _check_origin(record.key, value)
        return check_value(field_named(name), value, self.contents.sizes.get(record.key))

    def _check_keys(self, output: StageOutput, keys: Sequence[str]) -> Iterator[str]:
        if len(keys) != output.records:
            yield f"holds {len(keys)} records, where the version counts {output.records}"
        for earlier, later in pairwise(keys):
            if later <= earlier:
                yield f"record {later} comes after {earlier}, where keys must rise"
        if self.planned is None:
            return
        for key in sorted(self.planned - self.left_out.keys() - set(keys)):
            yield f"record {key} is missing"
        for key in sorted(set(keys) - self.planned):
            yield f"record {key} is one too many: it is not among the rows planned for this shard"
        for key in sorted(self.left_out.keys() & set(keys)):
            if self.left_out[key] in self.stages[output.stage].line:
                yield f"record {key} is one too many: stage '{self.left_out[key]}' left it out"


def _check_origin(key: str, about: Any) -> str | None:
    if not isinstance(about, dict):
        return f"json: expected an object, found {type(about).__name__}"
    if about.get("key") != key or not str(about.get("sha256", "")).startswith(key):
        found = f"{about.get('key')} and {about.get('sha256')}"
        return f"json: expected the record's key and a sha256 that begins with it, found {found}"
    return None
