"""Everything under a place that may hold removed records, from one listing."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from sluice.infra.storage import Storage
from sluice.infra.tables import read_table
from sluice.preprocess.planning.cut import Cut, find_cuts
from sluice.preprocess.planning.plan import read_plans

OUTPUT = re.compile(r"stages/[^/]+/[^/]+/([0-9a-f]{16})(?:-[0-9a-f]{16})?\.(?:tar|parquet|json)")
CHUNK = re.compile(r"stages/[^/]+/[^/]+/chunks/([^/]+)/.*")
ROLL_UP = re.compile(r"stages/[^/]+/[^/]+/roll-up-[^/]+")
INDEX = re.compile(r"index/[^/]+/part-[^/]+")
VERSION = re.compile(r"(datasets/[^/]+/[0-9a-f]{12})/.*")
OWN = re.compile(r"datasets/[^/]+/(?:plan|aliases)/.*|removed/.*")


@dataclass
class Survey:
    """Paths by what they are.

    `outputs` are what stages wrote of each shard that is cut, `loose` of shards that no plan knows any more, `chunks`
    of either; `versions` are their folders; `beside` are tables elsewhere, as exports have them, and `listings` their
    `export.json`.
    """

    datasets: list[str]
    cuts: dict[str, Cut]
    planned: set[str]
    outputs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    loose: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    chunks: list[str] = field(default_factory=list)
    roll_ups: list[str] = field(default_factory=list)
    index: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    listings: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    def tars(self) -> dict[str, list[str]]:
        """The tars of the shards that are cut."""
        return {shard: [file for file in self.outputs[shard] if file.endswith(".tar")] for shard in self.cuts}

    def add(self, path: str) -> None:
        """Put a path where it belongs."""
        if match := OUTPUT.fullmatch(path):
            shard = match[1]
            if shard in self.cuts or shard not in self.planned:
                (self.outputs if shard in self.cuts else self.loose)[shard].append(path)
        elif match := CHUNK.fullmatch(path):
            if match[1] in self.cuts or match[1] not in self.planned:
                self.chunks.append(path)
        elif path.endswith((".html", "/run/ended.json")):
            self.pages.append(path)
        elif match := VERSION.fullmatch(path):
            self.versions.add(match[1])
        elif not OWN.fullmatch(path):
            self._add_table(path)

    def _add_table(self, path: str) -> None:
        if ROLL_UP.fullmatch(path):
            self.roll_ups.append(path)
        elif INDEX.fullmatch(path):
            self.index.append(path)
        elif path.endswith("/export.json"):
            self.listings.append(path)
        elif path.endswith(".parquet"):
            self.beside.append(path)


def survey(storage: Storage, gone: Collection[str]) -> Survey:
    """Look at everything. A shard that no plan knows any more is looked into, and goes as a whole where it must."""
    datasets = list(storage.folders("datasets"))
    cuts: dict[str, Cut] = {}
    planned: set[str] = set()
    for dataset in datasets:
        cuts |= find_cuts(storage, dataset, gone)
        plans = read_plans(storage, f"datasets/{dataset}/plan").values()
        planned |= {shard.id for plan, _ in plans for shard in plan.shards}
    found = Survey(datasets, cuts, planned)
    for entry in storage.list():
        found.add(entry.path)
    for shard, files in found.loose.items():
        keys = frozenset(key for file in files for key in _keys(storage, file) if key in gone)
        if keys:
            found.cuts[shard] = Cut(shard, keys, "", 0)
            found.outputs[shard] = files
    return found


def _keys(storage: Storage, file: str) -> list[str]:
    """The keys that a sidecar or a commit names; of a tar nothing, for its sidecar tells."""
    if file.endswith(".parquet"):
        keys: list[str] = read_table(storage, file, ["key"])["key"].to_pylist()
        return keys
    if file.endswith(".json"):
        return [entry["key"] for entry in json.loads(storage.read(file))["quarantined"]]
    return []
