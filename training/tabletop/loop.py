"""One part trained, resumable at any moment: a resumed training ends with the weights of an uninterrupted one."""

from __future__ import annotations

import io
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from sluice.infra.errors import SluiceError
from sluice.infra.interrupts import held
from sluice.infra.whole import write_whole
from sluice.training.log import read_losses, write_losses
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.optimizers import optimizers
from sluice.training.tabletop.recipe import Batch, Part, Recipe
from sluice.training.tabletop.shares import backward, in_shares
from sluice.training.tabletop.threads import a_thread_each

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 50
FINAL_RATE = 0.05
AHEAD = 8

Report = Callable[[int, Mapping[str, float]], None]


class DamagedCheckpoint(SluiceError):
    """What was kept of a training cannot be read."""


class Diverged(SluiceError):
    """A loss became no number."""

    exit_code = 1


class Training:
    """The state of a part's training: network, average, optimizers, step; kept in `folder`."""

    def __init__(self, part: Part, models: Path, folder: Path, seed: int, device: torch.device) -> None:
        self.part, self.folder, self.seed, self.device = part, folder, seed, device
        torch.manual_seed(seed)
        self.network = part.network(models).to(device)
        self.average = deepcopy(self.network).requires_grad_(False)
        self.optimizers = optimizers(self.network, part.recipe)
        self.threads = ThreadPoolExecutor(torch.get_num_threads())
        self.step = 0
        self.sums: dict[str, float] = {}
        self._resume()

    def run(self, report: Report) -> nn.Module:
        """Train to the recipe's end and return the average. A Ctrl-C ends it after the step, with everything kept."""
        kept = time.monotonic()
        with held() as interrupted:
            for batch in self._batches():
                self._train(batch)
                if self.step % LOG_STEPS == 0:
                    self._log(report)
                stop = interrupted()
                if stop or time.monotonic() - kept > CHECKPOINT_SECONDS:
                    self.keep()
                    kept = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
            self.keep()
            if interrupted():
                raise KeyboardInterrupt
        return self.average

    def keep(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "step": self.step,
            "sums": self.sums,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        buffer = io.BytesIO()  # torch's own writing to a full disk raises no OSError
        torch.save(state, buffer)
        write_whole(self._checkpoint, buffer.getbuffer())

    def _update(self, batch: Batch) -> dict[str, float]:
        """Move the weights, and return the losses."""
        recipe = self.part.recipe
        losses = self._backward(batch)
        if not all(map(math.isfinite, losses.values())):
            raise Diverged(
                f"the losses of {self.part.name} at step {self.step} are no numbers ({losses}); {self.folder} holds "
                "what was there before. Look at what it is trained with, or remove that folder to train it anew."
            )
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = group["initial_lr"] * rate(self.step, recipe)
        list(self.threads.map(lambda optimizer: optimizer.step(), self.optimizers))
        self._average(min(recipe.ema, (1 + self.step) / (10 + self.step)))
        return losses

    @property
    def _in_shares(self) -> bool:
        return self.part.share is not None and self.device.type == "cpu"

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        if not self._checkpoint.exists():
            return
        written = io.BytesIO(self._checkpoint.read_bytes())
        try:
            state = torch.load(written, map_location="cpu", weights_only=True)
        except Exception as error:  # of a file that is none, torch raises whatever its bytes lead to
            raise DamagedCheckpoint(
                f"{self._checkpoint} is no checkpoint of {self.part.name}; remove {self.folder} to train it anew"
            ) from error
        self.step, self.sums = state["step"], state["sums"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._forget_later_lines()

    def _batches(self) -> Iterator[Batch]:
        """The batches of the steps that are left, made ahead by threads: a fork of a process with Ray in it dies."""
        steps = iter(range(self.step, self.part.recipe.steps))
        threads = 1 if self.device.type == "cpu" else AHEAD
        with ThreadPoolExecutor(threads) as pool:
            ahead = deque(pool.submit(self.part.batch, step) for step in islice(steps, AHEAD))
            try:
                while ahead:
                    batch = ahead.popleft().result()
                    ahead.extend(pool.submit(self.part.batch, step) for step in islice(steps, 1))
                    yield {name: value.to(self.device) for name, value in batch.items()}
            finally:
                pool.shutdown(cancel_futures=True)

    def _train(self, batch: Batch) -> None:
        with a_thread_each() if self._in_shares else nullcontext():
            losses = self._update(batch)
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value / LOG_STEPS
        self.step += 1

    def _backward(self, batch: Batch) -> dict[str, float]:
        """Give the parameters their gradients, and return the losses."""
        if self._in_shares:
            assert self.part.share is not None
            shares = in_shares(batch, min(self.part.share, self.part.recipe.batch))
            return backward(self.part, self.network, shares, self.seed, self.step, self.threads)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.part.losses(self.network, batch, Draws(self.seed, self.step, self.device))
        self.network.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        return {name: value.item() for name, value in losses.items()}

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        pairs = list(zip(self.average.parameters(), self.network.parameters(), strict=True))
        torch._foreach_lerp_([a for a, _ in pairs], [p.detach() for _, p in pairs], 1 - decay)
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)  # the live network's statistics, averages themselves, stand for the average's

    @property
    def _losses(self) -> Path:
        return self.folder / "losses.jsonl"

    def _log(self, report: Report) -> None:
        write_losses(self._losses, [*read_losses(self._losses), {"step": self.step, **self.sums}])
        report(self.step, self.sums)
        self.sums = {}

    def _forget_later_lines(self) -> None:
        """A run that was killed had logged steps after its last checkpoint, which are now trained again."""
        write_losses(self._losses, [line for line in read_losses(self._losses) if line["step"] <= self.step])


def rate(step: int, recipe: Recipe) -> float:
    """The learning rate's share at a step: a linear rise, then half a cosine to a twentieth."""
    rise = min(1.0, (step + 1) / recipe.warm_up)
    done = step / recipe.steps
    return rise * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done)))
