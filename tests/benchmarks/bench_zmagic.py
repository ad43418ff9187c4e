"""Z-Magic of three conditions: graphs that pairs share against a graph for each pair; memory of either curvature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sluice.inference.combiners.cagrad import cagrad
from sluice.inference.combiners.freedom import Condition, relative
from sluice.inference.combiners.zmagic import Curvature, Dependence, guided_score
from sluice.inference.denoisers import Denoiser, by_text, guided
from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.latents import of_latents
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import moments
from sluice.infra.weights.models import find
from sluice.training.written_out import differentiable_twice
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

ROUNDS, BATCH, STEPS = 5, 8, 20
MEGABYTE = 1024


class Scene:
    """A denoiser of tabletop's, three conditions on its pictures, and a moment halfway."""

    def __init__(self) -> None:
        model = LatentDiffusion.load(find("tabletop").path)
        self.x = model.noise(BATCH, 0)
        self.denoiser: Denoiser = guided(by_text(model.unet, model.states(["a star"] * BATCH), model.states([""])), 5.0)
        mask = torch.zeros(1, 64, 64)
        mask[:, 20:40, 20:40] = 1
        wanted = soft_edges(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        energies = [
            colour_energy(mask, torch.tensor([1.0, -1.0, -1.0])),
            colour_energy(1 - mask, torch.tensor([-1.0, -1.0, 1.0])),
            edges_energy(wanted),
        ]
        self.conditions = [Condition(of_latents(model, own), relative(0.005)) for own in energies]
        path = moments(model.scheduler, STEPS)
        self.at, self.after = path[STEPS // 2], path[STEPS // 2 + 1]

    def pulls(self, conditions: Sequence[Condition], how: Dependence) -> Tensor:
        with torch.enable_grad(), differentiable_twice():
            return guided_score(self.denoiser, conditions, self.x, self.at, self.after, torch.zeros_like(self.x), how)[
                1
            ]

    def shared(self) -> Tensor:
        return self.pulls(self.conditions, Dependence())

    def pair_by_pair(self) -> Tensor:
        pairs = permutations(self.conditions, 2)
        return cagrad([self.pulls(pair, Dependence()) for pair in pairs], Dependence().c)


def run() -> list[Result]:
    """Both give the same; memory is what a process of its own grows by."""
    scene = Scene()
    torch.testing.assert_close(scene.shared(), scene.pair_by_pair(), rtol=1e-3, atol=1e-3)
    seconds = in_turns({"shared": scene.shared, "pair by pair": scene.pair_by_pair}, ROUNDS)
    grown = {own: _grown_by(own) for own in ("exact", "finite_difference")}
    return [
        Result(
            "Z-Magic, three conditions: pair by pair / shared graphs",
            seconds["pair by pair"] / seconds["shared"],
            Goal(">=", 1.2),
            {f"{name}, s a step": round(value, 3) for name, value in seconds.items()},
        ),
        Result(
            "Z-Magic, peak memory: finite_difference / exact",
            grown["finite_difference"] / grown["exact"],
            Goal("<=", 1),
            {f"{name}, MB": round(value) for name, value in grown.items()},
        ),
    ]


def _grown_by(curvature: Curvature) -> float:
    """Megabytes that a step takes at its peak."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_step_apart, args=(curvature, there))
    process.start()
    found: float = here.recv()
    process.join()
    return found


def _step_apart(curvature: Curvature, told: Connection[float, Any]) -> None:
    scene = Scene()
    scene.denoiser(scene.x, scene.at.t)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is counted anew
    before = _kilobytes("VmHWM")
    scene.pulls(scene.conditions[:2], Dependence(curvature=curvature))
    told.send((_kilobytes("VmHWM") - before) / MEGABYTE)


def _kilobytes(name: str) -> int:
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise RuntimeError(f"/proc/self/status tells no {name}: peak memory is measured on Linux")
    return int(found[1])
