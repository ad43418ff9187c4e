"""A training by two processes of one thread beside one process of two, on equal global batches.

Whole commands, launched by torchrun, that train a ControlNet on tabletop; images a second of their last steps.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.preprocess.record import decode_jpeg, encode_jpeg, encode_png
from sluice.preprocess.shards import write_shard
from tests.benchmarks.photographs import photograph
from tests.benchmarks.result import Result

TARS, RECORDS, SIZE = 4, 64, 64
STEPS, BATCH, ROUNDS = 20, 64, 2
SLUICE = Path(sys.executable).with_name("sluice")


def run() -> list[Result]:
    """Each in turns, into folders of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(TARS):
            _tar(folder / "data", number)
        paces = [[_pace(folder, turn, processes) for processes in (2, 1)] for turn in range(ROUNDS)]
    two, one = (statistics.median(column) for column in zip(*paces, strict=True))
    details = {"two processes, images/s": round(two, 1), "one process, images/s": round(one, 1), "batch": BATCH}
    return [Result("training a ControlNet: two processes / one of two threads", two / one, None, details)]


def _tar(folder: Path, number: int) -> None:
    folder.mkdir(exist_ok=True)
    records = {f"{number:04}{k:012}": _record(number * RECORDS + k) for k in range(RECORDS)}
    write_shard(folder / f"{number:05}.tar", records.items())
    splits = pa.table({"key": list(records), "split": ["train"] * RECORDS})
    pq.write_table(splits, folder / f"{number:05}.parquet")


def _record(seed: int) -> dict[str, bytes]:
    picture = cv2.resize(decode_jpeg(photograph(seed)), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    edges = cv2.Canny(picture, 100, 200)
    return {"jpg": encode_jpeg(picture), "canny.png": encode_png(edges), "txt": b"a photograph"}


def _pace(folder: Path, turn: int, processes: int) -> float:
    """Images a second, of its second half."""
    out = folder / f"{turn}-{processes}"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    settings = [f"steps={STEPS}", f"batch={BATCH}", f"micro_batch={BATCH // processes}", "control=canny"]
    asked = ["train", "controlnet", "--data", str(folder / "data"), "--out", str(out)]
    told = [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(2 // processes)}
    subprocess.run(
        [*torchrun, "--no-python", str(SLUICE), *asked, *told], check=True, capture_output=True, env=environment
    )
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return float(lines[-1]["images/s"])
