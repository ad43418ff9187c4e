"""The compose flow over Ray at 200 pictures against a bare loop over the same batches."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.run.runs import Workers
from sluice.flows.compose.tree.job import Job
from sluice.preprocess.record import encode_png
from tests.benchmarks.race import apart
from tests.benchmarks.result import Goal, Result

FEW, MANY, BATCH, STEPS = 40, 240, 8, 20
WORKERS = 2


def run() -> list[Result]:
    """Pictures a second of what the many take more than the few; two workers, or a loop of two threads."""
    paces = {name: _pace(made) for name, made in (("flow", by_flow), ("bare loop", by_loop))}
    details = {f"{name}, pictures/s": round(pace, 2) for name, pace in paces.items()}
    return [Result("compose: flow / bare loop", paces["flow"] / paces["bare loop"], Goal(">=", 0.9), details)]


def by_flow(out: Path, count: int) -> None:
    """Every picture with its record, committed."""
    compose(_job(count), out, out / "pictures", Console(quiet=True), Workers(WORKERS))


def by_loop(out: Path, count: int) -> None:
    """Every picture as a PNG."""
    torch.set_num_threads(WORKERS)
    job = _job(count)
    composer = Composer(job, out)
    for start in range(0, count, BATCH):
        seeds = job.seeds[start : start + BATCH]
        for seed, picture in zip(seeds, composer(["a red star"] * len(seeds), seeds), strict=True):
            pixels = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
            (out / f"{seed}.png").write_bytes(encode_png(pixels))


def _job(count: int) -> Job:
    told: dict[str, Any] = {"prompts": ["a red star"], "seeds": list(range(count)), "steps": STEPS, "batch": BATCH}
    return Job.model_validate(told)


def _pace(made: Callable[[Path, int], None]) -> float:
    seconds = {}
    for count in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            apart(made, Path(folder), count)
            seconds[count] = time.monotonic() - began
    return (MANY - FEW) / (seconds[MANY] - seconds[FEW])
