"""The flows as a user asks for them, and what each must come to whatever happens on the way."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from sluice.infra.storage import Storage, storage
from sluice.preprocess.shards import read_shard
from tests.flows.conftest import is_promised, promised
from tests.soak.grounds import Place

Words = list[str]
STEPS = ("steps=10", "batch=8", "micro_batch=8", "checkpoint_steps=2", "watch_steps=5", "warm_up=0")
PIECES = (".tar", ".png", ".pt", ".safetensors")


@dataclass(frozen=True)
class Flow:
    """A command, and of the files that it leaves what is counted and which bytes are promised.

    `hit_by` are the names of the faults that can meet it.
    """

    name: str
    words: Callable[[Place], Words]
    items: Callable[[str, bytes], Iterable[str]]
    promised: Callable[[str, bytes], bytes | None]
    hit_by: frozenset[str]


@dataclass(frozen=True)
class Made:
    """What a run came to: how often each record, picture or step is there, and digests by path."""

    items: Counter[str]
    digests: Mapping[str, str]


def made_by(flow: Flow, place: Place) -> Made:
    """All that lies in a run's outputs."""
    items: Counter[str] = Counter()
    digests: dict[str, str] = {}
    for at in map(storage, place.outs):
        for path, data in _read(at):
            items.update(flow.items(path, data))
            kept = flow.promised(path, data)
            if kept is not None:
                digests[path] = hashlib.sha256(kept).hexdigest()
    return Made(items, digests)


def pieces(place: Place) -> set[tuple[str, str]]:
    """What has been written so far that only progress writes: shards, pictures, checkpoints, networks."""
    entries = (entry for at in map(storage, place.outs) for entry in at.list())
    return {(entry.path, entry.stamp) for entry in entries if entry.path.endswith(PIECES)}


def _read(at: Storage) -> Iterable[tuple[str, bytes]]:
    for entry in at.list():
        yield entry.path, at.read(entry.path)


def _records(path: str, data: bytes) -> Iterable[str]:
    """The keys of a version's merged shards."""
    if path.startswith("datasets/") and path.endswith(".tar"):
        for key, _ in read_shard(io.BytesIO(data)):
            yield key


def _of_dataset(path: str, data: bytes) -> bytes | None:
    return promised(PurePath(path), data) if is_promised(PurePath(path)) else None


def _steps(path: str, data: bytes) -> Iterable[str]:
    """The steps that a training has logged, and its network."""
    if path == "losses.jsonl":
        yield from (f"step {json.loads(line)['step']}" for line in data.splitlines())
    if path.startswith("model/") and path.endswith(".safetensors"):
        yield path


def _of_training(path: str, data: bytes) -> bytes | None:
    """Weights to the bit, and losses without what no two runs have alike."""
    if path == "losses.jsonl":
        lines = [json.loads(line) for line in data.splitlines()]
        return json.dumps([{k: v for k, v in line.items() if k not in ("images/s", "busy")} for line in lines]).encode()
    return data if path.startswith("model/") and path.endswith(".safetensors") else None


def _pictures(path: str, data: bytes) -> Iterable[str]:
    """The pictures that are there, and those that a table's rows name."""
    if path.endswith(".png"):
        yield path
    if path == "rows.csv":
        yield from (f"row {','.join(row.values())}" for row in csv.DictReader(io.StringIO(data.decode())))


def _of_composition(path: str, data: bytes) -> bytes | None:
    """A record says which code made it, and that may change while it is looked on."""
    if path.endswith(".json"):
        return json.dumps({**json.loads(data), "code": ""}, sort_keys=True).encode()
    return data if path.endswith((".png", ".csv")) else None


def _judged(path: str, data: bytes) -> Iterable[str]:  # noqa: ARG001
    if path.endswith(".png"):
        yield path


def _of_evaluation(path: str, data: bytes) -> bytes | None:
    """Figures, with the names of examples, and pictures."""
    return data if path.startswith("results/") or path.endswith(".png") else None


def _build(source: str, place: Place, out: str) -> Words:
    return ["dataset", "build", "-c", str(place.inputs / "dataset.yaml"), "--source", source, "--out", out]


def _train(place: Place, *more: str) -> Words:
    data = f"{place.remote_inputs}/data/datasets/made"
    settings = [word for setting in STEPS for word in ("--set", setting)]
    return ["train", "controlnet", "--data", data, "--out", str(place.out), *settings, *more]


def _compose(place: Place, out: str) -> Words:
    job, table = (str(place.inputs / name) for name in ("job.yaml", "table.csv"))
    return ["compose", job, "--table", table, "--no-page", "--workers", "2", "--out", out]


def _evaluate(place: Place) -> Words:
    asked = ["evaluate", "--protocol", "unite", "--scenes", "4", "--seeds", "1", "--steps", "6"]
    return [*asked, "--place", str(place.out / "pictures"), "--out", str(place.out / "results")]


ANY = {"driver", "disk full"}
RAY = {"worker", "raylet"}
PREFECT = {"Prefect server"}
S3 = {"S3 500", "S3 503", "S3 reset", "S3 slow"}
DATASET = _records, _of_dataset
TRAINING = _steps, _of_training
COMPOSITION = _pictures, _of_composition
EVALUATION = _judged, _of_evaluation


FLOWS = (
    Flow(
        "dataset",
        lambda at: _build(str(at.inputs / "pictures"), at, str(at.out)),
        *DATASET,
        frozenset(ANY | RAY | PREFECT),
    ),
    Flow(
        "dataset on S3",
        lambda at: _build(f"{at.remote_inputs}/pictures", at, at.remote),
        *DATASET,
        frozenset(ANY | RAY | PREFECT | S3),
    ),
    Flow("train", lambda at: _train(at), *TRAINING, frozenset(ANY | S3)),
    Flow(
        "train over Ray",
        lambda at: _train(at, "--ray", "1", "--checkpoints", f"{at.remote}/checkpoints"),
        *TRAINING,
        frozenset(ANY | RAY | S3),
    ),
    Flow("compose", lambda at: _compose(at, str(at.out)), *COMPOSITION, frozenset(ANY | RAY | PREFECT)),
    Flow("compose on S3", lambda at: _compose(at, at.remote), *COMPOSITION, frozenset(ANY | RAY | PREFECT | S3)),
    Flow("evaluate", lambda at: _evaluate(at), *EVALUATION, frozenset(ANY)),
    Flow(
        "evaluate over Ray",
        lambda at: [*_evaluate(at), "--workers", "2"],
        *EVALUATION,
        frozenset(ANY | RAY | PREFECT),
    ),
)
