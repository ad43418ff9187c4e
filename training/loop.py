"""Training by a recipe, resumable at any moment: what was stopped ends with the bits of what was not."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sluice.infra.interrupts import held
from sluice.training.average import Average
from sluice.training.checkpoints import Checkpoints
from sluice.training.data import Stream
from sluice.training.divergence import MOST_SKIPPED, diverged, ends_diverged, is_finite
from sluice.training.engine import CannotTrain, dtype_in, filled, restore, scales_losses, start, state_of
from sluice.training.methods.method import Batch, Method, batch_of
from sluice.training.order import share
from sluice.training.progress import Pace, Progress
from sluice.training.recipe import Recipe

LOG_STEPS = 50
AHEAD = 4

Report = Callable[[int, Mapping[str, float]], None]
Say = Callable[[str], None]
Watch = Callable[[nn.Module, int], Mapping[str, float]]
Snapshot = Callable[[nn.Module, int], None]


@contextmanager
def memory_explained() -> Iterator[None]:
    """Raises CannotTrain where a GPU's memory is used up, wherever in a training that is."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise CannotTrain(
            "the GPU's memory is used up: lower `micro_batch`, set `gradient_checkpointing=true`, raise the ZeRO stage "
            "in the engine's settings, or train in half precision"
        ) from error


@memory_explained()
def train(
    method: Method,
    recipe: Recipe,
    stream: Stream,
    steps: int,
    settings: Mapping[str, Any],
    checkpoints: Checkpoints,
    report: Report,
    watch: Watch,
    snapshot: Snapshot,
    say: Say,
) -> nn.Module:
    """Train a method's network for so many optimizer steps, in every process that was launched.

    Returned is the network with its whole weights, in float32. `settings` are DeepSpeed's. `report` is told of losses
    every fifty steps and last, in the first process. `watch` is given the network now and then, in every process, and
    what it returns is logged; `snapshot`, at the recipe's `snapshot_steps`, what would be returned then. A Ctrl-C, and
    SIGTERM, end it after the step, with a checkpoint. Raises Diverged, CannotTrain, OtherTraining.
    """
    torch.manual_seed(recipe.seed)
    network = method.network()
    average = Average(network, recipe.ema) if recipe.ema else None
    engine = start(network, recipe, settings)
    progress, pace = _resumed(engine, average, checkpoints, say), Pace(recipe.batch)
    with held() as interrupted:
        left = _batches(method, recipe, stream, range(progress.step, steps), method.model.unet)
        for micro_batches in pace.timed(left):
            skipped = progress.skipped
            _update(engine, method, recipe, progress, micro_batches, steps, say)
            if average is not None:
                average.update(engine)
            progress.in_a_row = progress.in_a_row + 1 if _anywhere(progress.skipped > skipped) else 0
            if _anywhere(progress.skipped > MOST_SKIPPED):
                raise diverged(progress, checkpoints)
            stop, over = _anywhere(interrupted()), progress.step == steps
            seen = progress.step % recipe.watch_steps == 0 or over
            if progress.step % LOG_STEPS == 0 or seen:
                watched = _watched(engine, average, progress.step, watch) if seen else {}
                _log(progress, {**pace.figures(), **watched}, report)
                if over and _anywhere(ends_diverged(progress, watched)):
                    raise diverged(progress, checkpoints)
                pace.restart()
            if recipe.snapshot_steps and progress.step % recipe.snapshot_steps == 0:  # before what would skip it
                snapshot(_trained(method, engine, average), progress.step)
            due, last = progress.step % recipe.checkpoint_steps == 0, stop or over
            bearable = 1 if last else 0  # after more steps that were left out, weights are no good to go on from
            if (due or last) and progress.in_a_row <= bearable:
                kept = _keep(engine, average, progress, checkpoints)
                if over and not kept:
                    raise diverged(progress, checkpoints)
            if stop:
                raise KeyboardInterrupt
    return _trained(method, engine, average)


def _trained(method: Method, engine: Any, average: Average | None) -> nn.Module:
    """The network as it is now, with its whole weights."""
    trained = filled(method.network(), state_of(engine))
    if average is not None:
        average.fill(trained)
    return trained


def _resumed(engine: Any, average: Average | None, checkpoints: Checkpoints, say: Say) -> Progress:
    """The engine as it was kept last, and how far it is."""
    state = checkpoints.newest(say)
    if state is None:
        return Progress()
    began, now = state.get("dtype"), str(dtype_in(engine))
    if began not in (None, now):
        say(f"it was begun in {began} and goes on in {now}: what comes of it is neither, to the bit")
    restore(engine, state["engine"])
    if average is not None:
        average.restore(state["average"])
    return Progress(**state["progress"])


def _update(
    engine: Any, method: Method, recipe: Recipe, progress: Progress, batches: Sequence[Batch], steps: int, say: Say
) -> None:
    """One optimizer step, of this process's share of a batch, some at a time."""
    _seed_dropout(recipe.seed, progress.step)
    learning_rate = recipe.learning_rate * rate(progress.step, steps, recipe)
    for group in engine.optimizer.param_groups:
        group["lr"] = learning_rate
    for batch in batches:
        losses = method.losses(engine, batch)
        if not bool(losses["loss"].isfinite()):
            progress.leave_out(batch.draws.keys)
            say(f"step {progress.step}: a loss is not finite; these are left out: {', '.join(batch.draws.keys)}")
            engine.backward(sum(p.nan_to_num().sum() for p in engine.module.parameters()) * 0.0)
        else:
            engine.backward(losses["loss"])
            for name, value in losses.items():
                progress.add(name, float(value.detach()) / len(batches))
        engine.step()
    progress.add("learning rate", learning_rate)
    _note_gradient(engine, progress, [key for batch in batches for key in batch.draws.keys], say)
    progress.step += 1


def _note_gradient(engine: Any, progress: Progress, keys: list[str], say: Say) -> None:
    """Its norm before it was clipped; the engine takes no step by one that is not finite."""
    norm = engine.get_global_grad_norm()
    if norm is None:
        return
    if math.isfinite(norm):
        progress.add("gradient norm", float(norm))
    elif scales_losses(engine):
        progress.add("overflows", 1.0)  # a loss scale is found by trying
    else:
        progress.leave_out(keys)
        say(f"step {progress.step}: the gradient is not finite; these are left out: {', '.join(keys)}")


def _seed_dropout(seed: int, step: int) -> None:
    """What networks draw by themselves belongs to (seed, step, process), so that nothing of it need be kept."""
    digest = hashlib.sha256(f"{seed}/{step}/{dist.get_rank()}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _batches(method: Method, recipe: Recipe, stream: Stream, steps: range, like: Any) -> Iterator[list[Batch]]:
    """The micro-batches of each step, made ahead by a thread."""
    rank, processes = dist.get_rank(), dist.get_world_size()

    def made(step: int) -> list[Batch]:
        own, size = share(step, recipe.batch, rank, processes), recipe.micro_batch
        return [
            batch_of(method, [stream[position] for position in own[first : first + size]], recipe.seed, like)
            for first in range(0, len(own), size)
        ]

    left = iter(steps)
    with ThreadPoolExecutor(1) as pool:
        ahead = deque(pool.submit(made, step) for step in islice(left, AHEAD))
        try:
            while ahead:
                batches = ahead.popleft().result()
                ahead.extend(pool.submit(made, step) for step in islice(left, 1))
                yield batches
        finally:
            pool.shutdown(cancel_futures=True)


def _watched(engine: Any, average: Average | None, step: int, watch: Watch) -> Mapping[str, float]:
    engine.eval()
    with torch.no_grad(), average.shown(engine) if average is not None else nullcontext():
        figures = watch(engine, step)
    engine.train()
    return figures


def _log(progress: Progress, figures: Mapping[str, float], report: Report) -> None:
    sums, since = _mean_over_processes(progress.sums), progress.step - progress.logged
    if dist.get_rank() == 0:
        report(progress.step, {**{name: value / since for name, value in sums.items()}, **figures})
    progress.sums, progress.logged = {}, progress.step


def _keep(engine: Any, average: Average | None, progress: Progress, checkpoints: Checkpoints) -> bool:
    """Whether it was kept: weights that are not finite are not."""
    progress.sums = _mean_over_processes(progress.sums)
    weights = state_of(engine)
    if not is_finite(weights):
        return False
    state = {"engine": weights, "progress": vars(progress), "dtype": str(dtype_in(engine))}
    if average is not None:
        state["average"] = average.state()
    if dist.get_rank() == 0:
        checkpoints.write(progress.step, state)
    dist.barrier()
    return True


def _mean_over_processes(sums: Mapping[str, float]) -> dict[str, float]:
    """Of each name that any process has: one whose batches were all left out has no loss."""
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, dict(sums))
    names = sorted({name for own in everywhere for name in own})
    return {name: sum(own.get(name, 0.0) for own in everywhere) / len(everywhere) for name in names}


def _anywhere(flag: bool) -> bool:
    """Whether it is so in any process, so that all of them do the same."""
    found: Tensor = torch.tensor(float(flag))
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return bool(found)


def rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate's share at a step: a linear rise, then what the recipe's schedule says."""
    rise = min(1.0, (step + 1) / max(recipe.warm_up, 1))
    return rise * (0.5 * (1 + math.cos(math.pi * step / steps)) if recipe.schedule == "cosine" else 1.0)
