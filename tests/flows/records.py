"""The records of a version as its merged shards hold them."""

from __future__ import annotations

import json
from pathlib import Path

from sluice.preprocess.shards import read_shard
from sluice.preprocess.version.manifest import Version

Records = dict[str, dict[str, bytes]]


def read_records(out: Path, version: Version) -> Records:
    """Fields by the URI of the record's image; no two records may have the same."""
    records: Records = {}
    for tar in sorted((out / version.prefix).glob("*.tar")):
        with tar.open("rb") as stream:
            for _, fields in read_shard(stream):
                uri = json.loads(fields["json"])["origin"]["uri"]
                assert uri not in records
                records[uri] = fields
    return records
