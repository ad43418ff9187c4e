"""Two versions' sidecars read into tallies: a sample of shards of each, never an image, never all rows at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.compare.columns import Column, read_columns
from sluice.preprocess.compare.outline import Outline
from sluice.preprocess.compare.stability import Bins, bins_of
from sluice.preprocess.compare.tally import Sums, tails_of, tally_of
from sluice.preprocess.record import Array

BINNED_SHARDS = 64
Columns = Mapping[str, Column]


@dataclass(frozen=True)
class Measuring:
    """Reads shards of two versions; `came` are the keys that only the later one has, `bins` those of numbers before."""

    storage: Storage
    before: Outline
    after: Outline
    came: Array
    bins: Mapping[str, Bins]

    def shard(self, shard: str) -> Sums:
        """The tallies of one shard in either version; an output that both have is read once."""
        sums = Sums()
        old, new = self.before.sampled.get(shard, {}), self.after.sampled.get(shard, {})
        left_out = self.before.without(shard), self.after.without(shard)
        for stage in old.keys() | new.keys():
            same = stage in old and stage in new and old[stage].digest == new[stage].digest
            same = same and np.array_equal(*left_out)
            first = read_columns(self.storage, old[stage], left_out[0]) if stage in old else {}
            second = first if same else read_columns(self.storage, new[stage], left_out[1]) if stage in new else {}
            self._count(sums, first, second, shard, same)
        return sums

    @property
    def whole(self) -> bool:
        """Whether the samples are all shards, so that every record of both versions is seen in both."""
        return all(len(side.digests) == len(side.sampled) for side in (self.before, self.after))

    def _count(self, sums: Sums, first: Columns, second: Columns, shard: str, same: bool) -> None:
        for name, column in first.items():
            sums.before[name].add(tally_of(column, self.bins.get(name)))
        for name, column in second.items():
            if column.numeric and name not in self.bins:
                continue
            sums.after[name].add(tally_of(column, self.bins.get(name)))
            came = np.isin(column.keys, self.came)
            if self.whole or (shard in self.before.sampled and shard in self.after.sampled):
                sums.shared[name] += int(len(came) - came.sum())
            if same:
                continue
            sums.came[name].add(tally_of(Column(column.keys[came], column.values[came]), self.bins.get(name)))
            if column.numeric:
                sums.tails[name].add(tails_of(column, shard))


def measure(
    storage: Storage, before: Outline, after: Outline, came: Array, workers: int | None = None
) -> tuple[dict[str, Bins], Sums]:
    """The bins of numbers, by the earlier version's first shards, and the tallies of both versions' sampled shards."""
    bins = _bins(storage, before, workers)
    measuring = Measuring(storage, before, after, came, bins)
    sums = Sums()
    for part in in_threads(measuring.shard, sorted(before.sampled.keys() | after.sampled.keys()), workers):
        sums.add(part)
    return bins, sums


def _bins(storage: Storage, before: Outline, workers: int | None) -> dict[str, Bins]:
    def read(shard: str) -> list[Columns]:
        outputs = before.sampled[shard].values()
        return [read_columns(storage, output, before.without(shard)) for output in outputs]

    values: dict[str, list[Array]] = defaultdict(list)
    for found in in_threads(read, sorted(before.sampled)[:BINNED_SHARDS], workers):
        for columns in found:
            for name, column in columns.items():
                if column.numeric and column.values.size:
                    values[name].append(column.values)
    return {name: bins_of(np.concatenate(parts)) for name, parts in values.items()}
