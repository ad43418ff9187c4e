"""Where a record comes from: the image in its source, and what each stage did with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow.parquet as pq

from sluice.flows.operate.of_version import versions_of
from sluice.flows.operate.told import NoLineage, Told, plain
from sluice.infra.errors import SluiceError
from sluice.infra.settings import parse
from sluice.infra.storage import MissingFile, Storage
from sluice.infra.tables import naming, read_table
from sluice.preprocess.planning.index import key_of
from sluice.preprocess.planning.plan import Row, Shard
from sluice.preprocess.planning.registry import source_class
from sluice.preprocess.planning.removed import read_removed
from sluice.preprocess.planning.rows import PLAN_ANEW
from sluice.preprocess.sources import Address
from sluice.preprocess.version.manifest import Version, table_rows
from sluice.preprocess.version.reading import StageOutput, find_rows, plan_prefix, planned_rows, shard_outputs

NAMED_KEYS = 5


def of_record(place: Storage, version: Version, key: str) -> Told:
    """Of the record with a key, or the beginning of one. Raises NoLineage where the version planned none."""
    shard, row = _found(place, version, key)
    outputs = next((own for own in shard_outputs(place, version) if own[0].shard == shard.id), [])
    left_out = {
        e["stage"]: e["reason"] for e in table_rows(place, version, "quarantine.parquet") if e["key"] == row.key
    }
    return Told(
        f"record {row.key} of data set {version.dataset}, version {version.id} in {place.uri}, shard {shard.id}",
        [
            Told(f"image {row.uri}{_today(version, row)}"),
            *(Told(f"the same image as {uri}") for uri in row.duplicates),
            *(_stage(place, version, output, row.key, left_out) for output in outputs),
            *versions_of(place, version, shard.id),
        ],
    )


def _found(place: Storage, version: Version, key: str) -> tuple[Shard, Row]:
    shards = find_rows(place, version, {shard for _, shard, _ in version.manifest["shards"]})
    found = [(shards[id_], whole) for id_, whole in _keys(place, version, list(shards.values()), key)]
    if len(found) != 1:
        keys = ", ".join(whole for _, whole in found[:NAMED_KEYS])
        absent = "removed this record" if key in read_removed(place) else "no such record"
        what = f"{len(found)} records whose keys begin so: {keys}" if found else absent
        raise NoLineage(
            f"{key}: version {version.id} of data set '{version.dataset}' in {place.uri} has {what}. A key is the "
            "first 16 hex digits of the SHA-256 of the original file (`sha256sum FILE | cut -c-16`); name another "
            "version with --of OUT/datasets/NAME/VERSION"
        )
    shard, whole = found[0]
    return shard, next(row for row in planned_rows(place, version, shard) if row.key == whole)


def _keys(place: Storage, version: Version, shards: list[Shard], start: str) -> Iterator[tuple[str, str]]:
    """(shard, key) of planned rows whose key begins so; of each file of rows, the keys alone are read."""
    ordered = sorted(shards, key=lambda shard: (shard.file, shard.group))
    for file, own in groupby(ordered, key=lambda shard: shard.file):
        path = f"{plan_prefix(version)}/{file}"
        with place.open(path) as stream, naming(place, path, PLAN_ANEW):
            table = pq.ParquetFile(stream)
            for shard in own:
                keys = table.read_row_group(shard.group, columns=["key"])["key"].to_pylist()
                yield from ((shard.id, key) for key in keys if key.startswith(start))


def _today(version: Version, row: Row) -> str:
    """Whether the source still has the image; else how to know it."""
    source = version.manifest["source"]
    place, known = f" of {source['kind']} {source.get('uri')}", f"the SHA-256 of what it was begins with {row.key}"
    try:
        cls = source_class(source["kind"])
        given = {name: value for name, value in source.items() if name != "kind"}
        opened = cls(parse(cls.config_type, given, "source"))
        raw = next(iter(opened.read([Address(row.uri, row.item, row.locator)], {"raw"})))
    except (SluiceError, StopIteration) as error:
        return f"{place}, where it cannot be read now ({plain(error) or 'it is gone'}); {known}"
    if raw.error:
        return f"{place}, where it cannot be read now ({plain(raw.error)}); {known}"
    if key_of(raw.fields["raw"]) != row.key:
        return f"{place}, where there is another now; {known}"
    return f"{place}, which is there, with this SHA-256"


def _stage(place: Storage, version: Version, output: StageOutput, key: str, left_out: dict[str, str]) -> Told:
    stage: dict[str, Any] = next(own for own in version.manifest["stages"] if own["name"] == output.stage)
    by = f" by {stage['model']}" if stage["model"] else ""
    line = f"stage {output.stage}{by}, fingerprint {stage['fingerprint']}"
    if output.stage in left_out:
        return Told(f"{line}: left out, since {plain(left_out[output.stage])}")
    scalars = _scalars(place, output, key)
    if scalars is None:
        return Told(f"{line}: not reached, or its output is gone")
    writes = ", ".join(stage["writes"])
    told = plain({name: value for name, value in scalars.items() if name != "caption"})
    return Told(f"{line}: {writes} in {output.file}; {told}")


def _scalars(place: Storage, output: StageOutput, key: str) -> dict[str, Any] | None:
    if not output.sidecar:
        return None
    try:
        rows = read_table(place, output.sidecar).to_pylist()
    except MissingFile:
        return None
    own: dict[str, Any] = next((row for row in rows if row["key"] == key), {})
    return {name: value for name, value in own.items() if name != "key"} or None
