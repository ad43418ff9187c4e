"""A version of a data set made without running a pipeline: drawn scenes, through the real shards and manifests."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.storage import Storage
from sluice.preprocess.graph import LearnedParameters, Node, Stage, Weights, build_graph
from sluice.preprocess.perception.skeleton import Person, describe, draw
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.planning.listing import Change
from sluice.preprocess.planning.plan import Layout, Plan, Row, Shard
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.record import Record
from sluice.preprocess.sources import SourceConfig
from sluice.preprocess.sources.folder import Folder
from sluice.preprocess.units.measures import Scalar, measure
from sluice.preprocess.units.output import Output, quarantine, store
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import Version, store_version

SMALL, LARGE, SCENES, SAMPLE = 16, 512, 60, 24
STANDING_X = (0, 0, -2, -3, -4, 2, 3, 4, -1, -1, -1, 1, 1, 1, -0.5, 0.5, -1, 1)
STANDING_Y = (-9, -6, -6, -3, 0, -6, -3, 0, 0, 4, 8, 0, 4, 8, -9.5, -9.5, -9, -9)


class ModelParameters(LearnedParameters):
    model: str = "drawn"


class Drawn(Stage[ModelParameters]):
    """A stage that is never run: its output is drawn by `scene`."""

    parameters_type = ModelParameters

    def __call__(self, records: Sequence[Record]) -> None:
        raise AssertionError(f"{records} were given to a stage that has its output already")


def stage(name: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> Drawn:
    kind = type(name, (Drawn,), {"name": name, "reads": reads, "writes": writes})
    made: Drawn = kind(ModelParameters())
    return made


STAGES = (
    ("image", ("raw",), ("jpg", "txt", "json")),
    ("segments", ("jpg",), ("segments.png",)),
    ("canny", ("jpg",), ("canny.png",)),
    ("hed", ("jpg",), ("hed.png",)),
    ("depth", ("jpg",), ("depth.png",)),
    ("pose", ("jpg",), ("pose.png", "pose.json")),
    ("mask", ("jpg",), ("mask.png",)),
    ("background", ("jpg", "mask.png"), ("bg.jpg",)),
    ("fg_depth", ("depth.png", "mask.png"), ("fg_depth.png",)),
    ("bg_depth", ("depth.png", "mask.png"), ("bg_depth.png",)),
    ("clip", ("jpg",), ("clip.npy",)),
)
NOTES = {
    "depth": ("'dpt-large' is not here (`sluice models pull dpt-large`): cue instead",),
    "background": ("unfit for training",),
}


def nodes() -> list[Node]:
    """The stages of the version, their marks among them."""
    return build_graph([stage(*s) for s in STAGES], {name: Weights(notes=notes) for name, notes in NOTES.items()})


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def scene(key: str, size: int, caption: str) -> Record:
    """Discs before a wall, textured so that they compress badly, with every field that goes with them."""
    rng = np.random.default_rng(int(key, 16))
    height, width = size, size * 3 // 4
    image = np.full((height, width, 3), rng.integers(40, 200, 3), np.int16)
    segments, depth = np.zeros((height, width), np.uint16), np.full((height, width), 8000, np.uint16)
    depth += np.linspace(0, 9000, height).astype(np.uint16)[:, None]
    mask = np.zeros((height, width), np.uint8)
    for label in range(1, int(rng.integers(3, 9))):
        disc = np.zeros((height, width), np.uint8)
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(disc, centre, int(rng.integers(size // 10, size // 3)), 255, -1)
        image[disc > 0], segments[disc > 0], depth[disc > 0] = rng.integers(0, 256, 3), label, 20000 + 5000 * label
        mask = disc
    wall = np.full((height, width, 3), image[0, 0])
    coarse = rng.normal(0, 18, (height // 3 + 1, width // 3 + 1, 3))
    texture = np.kron(coarse, np.ones((3, 3, 1)))[:height, :width]
    jpg = np.clip(image + texture, 0, 255).astype(np.uint8)
    grey = cv2.cvtColor(jpg, cv2.COLOR_RGB2GRAY)
    points = np.stack([STANDING_X, STANDING_Y], axis=1) * size / 22 + [width / 2, height / 2]
    people = [Person(np.c_[points, np.full(18, 0.9)])]
    record = Record(key)
    fields: dict[str, Any] = {
        "jpg": jpg,
        "txt": caption,
        "json": _origin(key, int(rng.integers(500, 4000)), caption),
        "segments.png": segments,
        "canny.png": cv2.Canny(grey, 100, 200),
        "hed.png": cv2.GaussianBlur(cv2.Canny(grey, 200, 300), (7, 7), 0),
        "depth.png": depth,
        "pose.png": draw(people, height, width),
        "pose.json": describe(people),
        "mask.png": mask,
        "bg.jpg": np.clip(wall + texture, 0, 255).astype(np.uint8),
        "fg_depth.png": np.where(mask > 0, depth, 0).astype(np.uint16),
        "bg_depth.png": np.where(mask > 0, 0, depth).astype(np.uint16),
        "clip.npy": rng.normal(size=768).astype(np.float16),
    }
    for name, value in fields.items():
        record[name] = value
    return record


def _origin(key: str, original: int, caption: str) -> dict[str, Any]:
    return {
        "key": key,
        "captions": [caption],
        "origin": {"uri": f"https://example.org/photos/{key}.jpg", "source": "folder", "duplicates": []},
        "original": {"size": [original, original * 4 // 3], "mode": "RGB", "format": "JPEG"},
        "split": "validation" if int(key, 16) % 50 == 0 else "train",
    }


@cache
def _made(place: int, size: int, caption: str) -> dict[str, tuple[dict[str, bytes], dict[str, Scalar]]]:
    """A scene's fields and scalars by stage; records of the same place in their shard share them."""
    record = scene(key_of(place), size, caption)
    return {name: ({w: record.encode(w) for w in writes}, measure(record, writes)) for name, _, writes in STAGES}


Caption = Callable[[int], str]
Entries = Sequence[tuple[str, str, str]]


def make_version(
    storage: Storage,
    records: int,
    shard_size: int = 1000,
    caption: Caption = lambda place: f"{place % 7} discs before a wall",
    left_out: Entries = (),
    large: int = LARGE,
) -> Version:
    """A version of `records` records; those that a page shows are `large` pixels high.

    `left_out` are (stage, kind, reason) of rows that are planned beside them, in the first shard.
    """
    return write_version(storage, *make_build(storage, records, shard_size, caption, left_out, large))


def write_version(storage: Storage, build: Build, commits: Mapping[str, dict[str, Commit]]) -> Version:
    version, files = make_manifest(build, dict(commits), build.plan.shards)
    store_version(storage, version, files)
    return version


def make_build(
    storage: Storage,
    records: int,
    shard_size: int = 1000,
    caption: Caption = lambda place: f"{place % 7} discs before a wall",
    left_out: Entries = (),
    large: int = LARGE,
) -> tuple[Build, dict[str, dict[str, Commit]]]:
    """A build that has run, and its commits."""
    keys = [key_of(number) for number in range(records + len(left_out))]
    refused = [(Row(k, f"bad/{k}.jpg", k, "", ""), *entry) for k, entry in zip(keys[records:], left_out, strict=True)]
    starts = range(0, records, shard_size)
    seen = math.ceil(SAMPLE / len(starts))
    shards, commits = [], {node.name: dict[str, Commit]() for node in nodes()}
    for place, start in enumerate(starts):
        rows = [Row(k, f"{k}.jpg", k, "", "") for k in sorted(keys[start : min(start + shard_size, records)])]
        made = [_made(i % SCENES, large if i < seen else SMALL, caption(i % SCENES)) for i in range(len(rows))]
        out = refused if place == 0 else []
        shards.append(Shard(place, f"{place:016x}", "", len(rows) + len(out), "rows.parquet", place))
        for node in nodes():
            commits[node.name][shards[-1].id] = _commit(storage, node, shards[-1].id, rows, made, out)
    config = DatasetConfig.model_validate(
        {"name": "made", "source": {"kind": "folder", "uri": "photos"}, "out": storage.uri, "stages": {}}
    )
    unreadable = ({"uri": "bad/empty.jpg", "reason": "the file is empty"},)
    plan = Plan(tuple(shards), sum(s.records for s in shards) + 3, 2, unreadable)
    line = "latent is left out: the weights 'sd15' are not in the cache"
    source = Folder(SourceConfig(uri="photos"))
    layout, change = Layout(plan, {}, {}), Change((), frozenset())
    return Build(config, storage, source, nodes(), [line], layout, change, Removed()), commits


def _up_to(node: Node) -> set[str]:
    """A stage and all that it hangs on."""
    parents = [_up_to(other) for other in nodes() if other.name in node.parents]
    return {node.name}.union(*parents)


def _commit(
    storage: Storage,
    node: Node,
    shard: str,
    rows: Sequence[Row],
    made: Sequence[Mapping[str, tuple[dict[str, bytes], dict[str, Scalar]]]],
    refused: Sequence[tuple[Row, str, str, str]],
) -> Commit:
    refusing = _up_to(node)
    later = [row for row, stage, *_ in refused if stage not in refusing]
    rows, made = sorted([*rows, *later], key=lambda row: row.key), [*made, *(made[0] for _ in later)]
    fields = {row.key: done[node.name][0] for row, done in zip(rows, made, strict=True)}
    scalars = {row.key: done[node.name][1] for row, done in zip(rows, made, strict=True)}
    entries = [quarantine(row, stage, reason, kind) for row, stage, kind, reason in refused if stage == node.name]
    facts = {"computed": len(rows), "seconds": 1.5 + len(node.name)}
    with tempfile.TemporaryDirectory() as scratch:
        log = CommitLog(storage, f"stages/{node.name}/{node.fingerprint}")
        return store(log, shard, rows, Output(fields, scalars, entries), Path(scratch), {}, facts)
