"""Parquet files of a storage: one that is damaged is named, with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.errors import SluiceError
from sluice.infra.storage import Storage, StorageError

VERIFY = "`sluice dataset verify` says what to do"


class DamagedTable(SluiceError):
    """A Parquet file is cut, or was changed."""

    exit_code = 1


@contextmanager
def naming(storage: Storage, path: str, remedy: str = VERIFY) -> Iterator[None]:
    """While a file is read, what Arrow says of damage becomes a DamagedTable that names it."""
    try:
        yield
    except StorageError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedTable(f"{storage.uri}/{path} is damaged ({' '.join(str(error).split())}); {remedy}") from error


def read_table(storage: Storage, path: str, columns: Sequence[str] | None = None, remedy: str = VERIFY) -> pa.Table:
    """A whole file, or columns of it. Raises DamagedTable, StorageError."""
    data = storage.read(path)
    with naming(storage, path, remedy):
        return pq.read_table(pa.BufferReader(data), columns=columns)
