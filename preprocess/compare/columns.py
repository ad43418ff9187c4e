"""The columns of a stage's sidecar that distributions are made of: numbers, and texts of few values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.compare.outline import as_numbers
from sluice.preprocess.record import Array
from sluice.preprocess.version.reading import StageOutput

FOLDER = "folder"


@dataclass(frozen=True)
class Column:
    """What a stage measured of some records: keys, uint64, and values, float64 or texts, in the same order."""

    keys: Array
    values: Array

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return bool(self.values.dtype.kind == "f")


def read_columns(storage: Storage, output: StageOutput, left_out: Array) -> dict[str, Column]:
    """The columns of one output by name, without the keys left out; of a URI its first folder, or its host.

    Numbers that are not finite are left out. Raises StorageError where the sidecar is gone.
    """
    if not output.sidecar:
        return {}
    data = pa.BufferReader(storage.read(output.sidecar))
    with naming(storage, output.sidecar):
        parquet = pq.ParquetFile(data)
        table = parquet.read([name for name in parquet.schema_arrow.names if name != "caption"])
    keys = as_numbers(table["key"].to_pylist())
    kept = np.isin(keys, left_out, invert=True)
    columns = {}
    for name in table.column_names[1:]:
        values = _values(table[name], name)
        good = kept & np.isfinite(values) if values.dtype.kind == "f" else kept
        columns[FOLDER if name == "uri" else name] = Column(keys[good], values[good])
    return columns


def _values(column: pa.ChunkedArray, name: str) -> Array:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy(), np.float64)
    texts = [str(value) for value in column.to_pylist()]
    return np.array([_folder(text) for text in texts] if name == "uri" else texts, object)


def _folder(uri: str) -> str:
    """The first folder of an image's URI, or its host; empty at the top."""
    first, slash, _ = uri.partition("://")[2 if "://" in uri else 0].partition("#")[0].partition("/")
    return first if slash else ""
