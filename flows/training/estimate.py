"""What a training will take, from its recipe and one measured step."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sluice.flows.training.train import Prepared
from sluice.infra.page.text import bytes_text, count_text
from sluice.training.engine import dtype_of
from sluice.training.loop import memory_explained
from sluice.training.methods.method import Method, batch_of

MEASURED = 2


@dataclass(frozen=True)
class Estimate:
    """Of one process: parameters, bytes of what DeepSpeed keeps, bytes at the peak of a step, and seconds of one."""

    trained: int
    frozen: int
    kept: int
    peak: int
    available: int
    seconds: float
    steps: int

    def lines(self) -> list[str]:
        """It in words, a warning last where it cannot fit."""
        hours = self.steps * self.seconds / 3600
        told = [
            f"trained: {count_text(self.trained)} parameters; frozen beside them: {count_text(self.frozen)}",
            f"memory of a process: {bytes_text(self.kept)} of weights, gradients and moments; {bytes_text(self.peak)} "
            f"at the peak of a step, of {bytes_text(self.available)}",
            f"steps: {count_text(self.steps)}, {self.seconds:.2f} s each as measured: {hours:.1f} hours",
        ]
        if self.peak + self.kept > self.available:
            told.append(
                "This does not fit: lower `micro_batch`, or raise the ZeRO stage in the engine's settings, or train in "
                "half precision"
            )
        return told


@memory_explained()
def estimate(prepared: Prepared, settings: Mapping[str, Any]) -> Estimate:
    """From one micro-batch, forward and back, on the device at hand. Raises CannotTrain where it does not fit."""
    recipe, method, model = prepared.recipe, prepared.method, prepared.model
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    network = method.network().to(model.unet.device, model.unet.dtype)
    trained = sum(p.numel() for p in network.parameters())
    frozen = sum(p.numel() for part in (model.unet, model.vae, model.text_encoder) for p in part.parameters())
    samples = [prepared.stream[n] for n in range(recipe.micro_batch)]
    batch = batch_of(method, samples, recipe.seed, model.unet)
    seconds = min(_step(method, network, batch) for _ in range(MEASURED)) * (
        recipe.batch // (recipe.micro_batch * processes)
    )
    return Estimate(trained, frozen, _kept(trained, settings, processes), *_memory(), seconds, prepared.steps)


def _step(method: Method, network: nn.Module, batch: Any) -> float:
    began = time.perf_counter()
    torch.autograd.backward(method.losses(network, batch)["loss"])
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    network.zero_grad()
    return time.perf_counter() - began


def _kept(trained: int, settings: Mapping[str, Any], processes: int) -> int:
    """Bytes of weights, gradients and moments, parted by ZeRO among processes from stage 1, 2 and 3 on."""
    stage = int(settings.get("zero_optimization", {}).get("stage", 0))
    half = dtype_of(settings) != torch.float32
    weights, gradients = (2, 2) if half else (4, 4)
    moments = 8 + (4 if half or stage else 0)
    shares = [processes if stage >= needed else 1 for needed in (3, 2, 1)]
    return round(sum(trained * size / share for size, share in zip((weights, gradients, moments), shares, strict=True)))


def _memory() -> tuple[int, int]:
    """Bytes at the peak so far, and bytes that there are."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated(), torch.cuda.get_device_properties(0).total_memory
    import psutil

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, psutil.virtual_memory().total
