"""A data set of any size without its images: a finished index, and commits of units that never ran."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.infra.commits import Commit
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.config import DatasetConfig, make_source
from sluice.preprocess.planning.index import ROW_BYTES, SCHEMA, encode_table, index_prefix

A_TAR = 10_000
"""Images in a tar, as img2dataset writes them unless told otherwise."""
ALIKE = A_TAR // 100


def config_of(folder: Path) -> DatasetConfig:
    """Two cheap stages; the source is a folder of tars, the default sizes of everything."""
    return DatasetConfig.model_validate(
        {
            "name": "large",
            "source": {"kind": "webdataset", "uri": str(folder / "tars")},
            "out": str(folder / "out"),
            "stages": {"image": {}, "canny": {}},
        }
    )


def add_tars(folder: Path, first: int, count: int) -> None:
    """Tars, empty files all of them, and parts of an index that tell of their images.

    One image in a hundred has an equal one in the tar before, one in ten thousand cannot be read.
    """
    config = config_of(folder)
    index = Path(config.out) / index_prefix(make_source(config), False)
    index.mkdir(parents=True, exist_ok=True)
    (folder / "tars").mkdir(exist_ok=True)
    locators, names = _locators(), pa.array([f"{i:04}.jpg" for i in range(A_TAR)])
    for number in range(first, first + count):
        tar = folder / "tars" / f"{number:06}.tar"
        tar.touch()
        status = tar.stat()
        part = _part(number, f"{status.st_mtime_ns}-{status.st_size}", locators, names)
        (index / f"part-{number:020}-{number:08x}.parquet").write_bytes(encode_table(part))


def _locators() -> pa.Array:
    """As the webdataset source has them: image, caption and metadata of each."""
    sizes = np.random.default_rng(0).integers(30_000, 150_000, A_TAR)
    starts = np.cumsum(sizes // 512 * 512 + 4096)
    told = zip(starts.tolist(), sizes.tolist(), strict=True)
    return pa.array([f"{at}:{size};.json={at - 2560}:402;.txt={at - 1024}:61" for at, size in told])


def _part(number: int, stamp: str, locators: pa.Array, names: pa.Array) -> pa.Table:
    tar = f"{number:06}.tar"
    rng, before = np.random.default_rng(number), np.random.default_rng(max(number - 1, 0))
    keys = before.bytes(8 * ALIKE) + rng.bytes(8 * A_TAR)[: 8 * (A_TAR - ALIKE)]
    digits = np.arange(A_TAR * 16 + 1, step=16, dtype=np.int32)
    key = pa.StringArray.from_buffers(A_TAR, pa.py_buffer(digits), pa.py_buffer(keys.hex().encode()))
    side = pa.StringArray.from_buffers(A_TAR, pa.py_buffer(digits), pa.py_buffer(rng.bytes(8 * A_TAR).hex().encode()))
    rows = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(ROW_BYTES), A_TAR, [None, pa.py_buffer(rng.bytes(ROW_BYTES * A_TAR))]
    )
    bad = A_TAR - 1
    columns = {
        "uri": pc.binary_join_element_wise(_same(f"{tar}#{number:05}"), names, ""),
        "item": _same(tar),
        "stamp": _same(stamp),
        "locator": locators,
        "container": _same(tar),
        "size": pa.array(np.full(A_TAR, 100_000)),
        "key": pa.concat_arrays([key[:bad], pa.array([""])]),
        "side": pa.concat_arrays([side[:bad], pa.array([""])]),
        "look": _same(""),
        "error": pa.concat_arrays([_same("")[:bad], pa.array(["the image is cut off"])]),
        "row": rows,
    }
    return pa.table(columns, schema=SCHEMA)


def _same(value: str) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(A_TAR, np.int32)))


def commit_units(build: Build, left: int) -> None:
    """Commits of all units but the last few shards', each with an empty tar and an empty table beside it."""
    for node in build.nodes:
        folder = Path(build.config.out) / f"stages/{node.name}/{node.fingerprint}"
        folder.mkdir(parents=True, exist_ok=True)
        for shard in build.plan.shards[: len(build.plan.shards) - left]:
            commit = _commit(node, shard.id, shard.records)
            for name in (commit.file, commit.sidecar):
                os.close(os.open(folder / str(name), os.O_CREAT | os.O_WRONLY))
            (folder / f"{shard.id}.json").write_text(json.dumps(asdict(commit), sort_keys=True))


def _commit(node: Node, shard: str, records: int) -> Commit:
    digest = 4 * shard
    facts = {"computed": records, "seconds": 12.5, "versions": {"numpy": np.__version__, "pyarrow": pa.__version__}}
    inputs = dict.fromkeys(node.parents, digest)
    name = f"{shard}-{digest[:16]}"
    return Commit(shard, f"{name}.tar", digest, 0, records, inputs, [], f"{name}.parquet", facts)
