"""How the distributions of records' scalars moved between two versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.infra.storage import Storage
from sluice.infra.tables import read_table
from sluice.preprocess.record import Array
from sluice.preprocess.version.reading import StageOutput

QUANTILES = (0.05, 0.5, 0.95)
Columns = Mapping[str, Array]


@dataclass(frozen=True)
class Drift:
    """A scalar in two versions: number of records, mean, quantiles (5, 50, 95%), and Kolmogorov-Smirnov's test.

    `statistic` is the largest distance between the two empirical distribution functions, 0 to 1; `p_value` takes the
    records of the two versions as independent draws, so it is cautious where they share records.
    """

    scalar: str
    records: tuple[int, int]
    mean: tuple[float, float]
    quantiles: tuple[tuple[float, ...], tuple[float, ...]]
    statistic: float
    p_value: float


def measure_drift(a: Columns, b: Columns) -> list[Drift]:
    """The drift of every scalar that both versions have, by name."""
    return [_drift(name, a[name], b[name]) for name in sorted(a.keys() & b.keys()) if len(a[name]) and len(b[name])]


def _drift(name: str, a: Array, b: Array) -> Drift:
    from scipy.stats import ks_2samp

    test = ks_2samp(a, b, method="asymp")
    quantiles = [tuple(float(q) for q in np.quantile(values, QUANTILES)) for values in (a, b)]
    return Drift(
        name,
        (len(a), len(b)),
        (float(a.mean()), float(b.mean())),
        (quantiles[0], quantiles[1]),
        float(test.statistic),
        float(test.pvalue),
    )


def shard_columns(storage: Storage, outputs: Sequence[StageOutput], left_out: Collection[str]) -> dict[str, Array]:
    """The numeric scalars of a shard's records, float64, each from the sidecar of the stage that measured it."""
    columns: dict[str, Array] = {}
    for output in outputs:
        if output.sidecar:
            table = read_table(storage, output.sidecar)
            kept = pc.invert(pc.is_in(table["key"], value_set=pa.array(sorted(left_out), pa.string())))
            for name in table.column_names:
                if pa.types.is_integer(table[name].type) or pa.types.is_floating(table[name].type):
                    columns[name] = table[name].filter(kept).to_numpy().astype(np.float64)
    return columns


def join_columns(shards: Sequence[Columns]) -> dict[str, Array]:
    """The scalars of many shards, end to end."""
    parts: dict[str, list[Array]] = defaultdict(list)
    for columns in shards:
        for name, values in columns.items():
            parts[name].append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}
