"""Data sets built in this process, by the same units of work that a cluster runs: no Ray, no Prefect."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build, pending, prepare, read_commits
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.planning.plan import Shard, store_plan
from sluice.preprocess.sources import Item
from sluice.preprocess.units.work import Outcome, StageUnit, StageWork
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.export import ExportUnit, export_shard, list_exported
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import Version, store_version

BuiltVersion = tuple[Build, Version]
SIDE = 64
CHEAP_STAGES: dict[str, dict[str, Any] | None] = {
    "image": {"size": SIDE, "min_side": 0},
    "canny": {},
    "depth": {"model": "cue"},
}


def write_photo(folder: Path, name: str, seed: int, caption: str | None = None, side: int = SIDE) -> Path:
    """A PNG of `side` pixels: discs and a slope of random colours, different for every seed; and its caption."""
    rng = np.random.default_rng(seed)
    image = np.linspace(rng.integers(0, 255, 3), rng.integers(0, 255, 3), side)[:, None].repeat(side, 1)
    image = np.ascontiguousarray(image.astype(np.uint8))
    for _ in range(4):
        centre, colour = rng.integers(0, side, 2).tolist(), rng.integers(0, 255, 3).tolist()
        cv2.circle(image, centre, int(rng.integers(side // 16, side // 4)), colour, -1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), image)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption)
    return path


def write_photos(folder: Path, count: int = 9) -> Path:
    """Photos `p0`, `p1` ... of seeds 0, 1 ..., each with a caption."""
    for seed in range(count):
        write_photo(folder, f"p{seed}", seed, f"picture {seed}" + " with discs" * (seed % 3))
    return folder


def config_here(folder: Path, **changes: Any) -> DatasetConfig:
    """Photos of `folder/photos`, three cheap stages, shards of 4, output in `folder/out`; `changes` replace these."""
    values = {
        "name": "small",
        "source": {"kind": "folder", "uri": str(folder / "photos")},
        "out": str(folder / "out"),
        "stages": CHEAP_STAGES,
        "shard_size": 4,
    }
    return DatasetConfig.model_validate({**values, **changes})


def build_here(
    config: DatasetConfig, retry: bool = False, prune: bool = False, limit: int | None = None
) -> BuiltVersion:
    """What `sluice dataset build` does, one unit after the other: stages, export, version, `latest`."""
    build = prepare(config, run_scan, prune, retry)
    store_plan(build.storage, build.plan_prefix, build.layout)
    shards = build.plan.shards[:limit]
    run_units(build, pending(build, read_commits(build), shards, retry), retry)
    version, files = make_manifest(build, read_commits(build), shards)
    files["README.md"] = dataset_card(version).encode()
    files["export.json"] = export_here(build, version, files["shards.parquet"])
    store_version(build.storage, version, files)
    return build, version


def run_scan(function: Callable[[list[Item]], Any], bundles: list[list[Item]]) -> None:
    """Read an index here and now."""
    for bundle in bundles:
        function(bundle)


def run_units(build: Build, units: Iterable[tuple[Node, Shard]], retry: bool = False) -> list[Outcome]:
    """Run units in the order given, each stage opened once."""
    nodes = {node.name: node for node in build.nodes}
    open_stage = cache(StageWork(build.storage, build.plan_prefix, build.source, nodes).open)
    run = "now" if retry else ""
    return [open_stage(node.name)(StageUnit(node.name, shard, retry=run)) for node, shard in list(units)]


def export_here(build: Build, version: Version, table: bytes) -> bytes:
    """Merge the shards that `shards.parquet` lists into the version's folder; returns `export.json`."""
    outputs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(io.BytesIO(table)).to_pylist():
        outputs[row["ordinal"]].append(row)
    targets = {ordinal: f"{version.prefix}/{version.dataset}-{ordinal:05d}" for ordinal in outputs}
    tars = build.config.export != "never"
    units = [ExportUnit(targets[ordinal], rows, tars) for ordinal, rows in outputs.items()]
    return list_exported([export_shard(build.storage, build.storage, unit) for unit in units])
