"""Training samples from shards: our stream against webdataset with torch's DataLoader, and a bare read and decode.

One thread each, the same tars, fields and tensors; ours shuffles whole windows and knows every sample's place, the
other shuffles a buffer of as many records.
"""

from __future__ import annotations

import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset
from torch import Tensor
from torch.utils.data import DataLoader

from sluice.preprocess.record import Array, decode_jpeg, encode_jpeg, encode_png
from sluice.preprocess.shards import write_shard
from sluice.training.data import Stream, TrainingData, TrainingShard
from sluice.training.examples import image
from tests.benchmarks.photographs import photograph
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

SHARDS, RECORDS, SIZE, BATCH, ROUNDS = 8, 100, 256, 32, 3
FIELDS = ("jpg", "canny.png", "txt")
WINDOW = 4


def run() -> list[Result]:
    """An epoch of each, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        shards = [_shard(Path(folder), number) for number in range(SHARDS)]
        tars = [Path(folder) / shard.files[0] for shard in shards]
        seconds = in_turns(
            {
                "ours": lambda: _drain(_ours(TrainingData(folder, tuple(shards), "benchmark"))),
                "webdataset": lambda: _drain(_webdataset(tars)),
                "bare": lambda: _drain(_bare(tars)),
            },
            ROUNDS,
        )
    details = {f"{name}, samples/s": round(SHARDS * RECORDS / value) for name, value in seconds.items()}
    return [
        Result("loader: webdataset / ours", seconds["webdataset"] / seconds["ours"], Goal(">=", 1.0), details),
        Result("loader: bare read and decode / ours", seconds["bare"] / seconds["ours"], Goal(">=", 0.9), details),
    ]


def _shard(folder: Path, number: int) -> TrainingShard:
    records = {f"{number:04}{k:012}": _record(number * RECORDS + k) for k in range(RECORDS)}
    write_shard(folder / f"{number:05}.tar", records.items())
    return TrainingShard((f"{number:05}.tar",), tuple(records))


def _record(seed: int) -> dict[str, bytes]:
    picture = cv2.resize(decode_jpeg(photograph(seed)), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    edges = cv2.Canny(picture, 100, 200)
    return {"jpg": encode_jpeg(picture), "canny.png": encode_png(edges), "txt": b"a photograph"}


def _drain(batches: Iterator[list[Tensor]]) -> None:
    samples = sum(len(batch[0]) for batch in batches)
    assert samples == SHARDS * RECORDS


def _ours(data: TrainingData) -> Iterator[list[Tensor]]:
    stream = Stream([data], FIELDS, 0, window=WINDOW)
    samples = stream.samples(range(SHARDS * RECORDS))
    while batch := list(islice(samples, BATCH)):
        yield [torch.stack([image(sample.record, field, SIZE) for sample in batch]) for field in FIELDS[:2]]


def _webdataset(tars: list[Path]) -> Iterator[list[Tensor]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=SHARDS, seed=0)
    samples = data.shuffle(WINDOW * RECORDS).map(_decoded)
    yield from DataLoader(samples, batch_size=BATCH, num_workers=0)


def _bare(tars: list[Path]) -> Iterator[list[Tensor]]:
    """In the order of the tars, as fast as Python's own tarfile and the same decoders go."""

    def records() -> Iterator[dict[str, bytes]]:
        for tar in tars:
            record: dict[str, bytes] = {}
            with tarfile.open(tar) as members:
                for member in members:
                    file = members.extractfile(member)
                    field = member.name.partition(".")[2]
                    record[field] = file.read() if file else b""
                    if field == FIELDS[-1]:
                        yield record
                        record = {}

    ordered = records()
    while batch := [_decoded(record) for record in islice(ordered, BATCH)]:
        yield [torch.stack(list(planes)) for planes in zip(*batch, strict=True)]


def _decoded(record: dict[str, Any]) -> tuple[Tensor, Tensor]:
    edges = cv2.imdecode(np.frombuffer(record["canny.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    return _planes(decode_jpeg(record["jpg"])), _planes(edges[..., None].repeat(3, axis=2))


def _planes(pixels: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray((pixels.astype(np.float32) / 255).transpose(2, 0, 1)))
