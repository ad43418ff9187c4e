"""A job as a function from prompts and seeds to pictures: its tree, built of the combiners."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sluice.flows.compose.bound.binding import Binding
from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.energies import condition_of
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree import job as tree
from sluice.flows.compose.tree.energies import Energy as EnergyNode
from sluice.flows.compose.tree.models import Model
from sluice.flows.compose.tree.walk import models_of
from sluice.inference.combiners.amdm import Aggregation, aggregate
from sluice.inference.combiners.freedom import Condition, freedom_step
from sluice.inference.combiners.unite import United, matched, unite
from sluice.inference.combiners.zmagic import Dependence, zmagic_step
from sluice.inference.denoisers import Bound, Denoiser, guided, noise_of
from sluice.inference.sampler import Moment, Noise, Step, ddim_step, moments, sample
from sluice.inference.watching import (
    Watch,
    watched_condition,
    watched_denoiser,
    watched_model,
    watched_pairs,
    watched_step,
)
from sluice.training.networks.latent_model import LatentModel


class Composer:
    """Everything that a job names, loaded, but for models that are `loaded` already, by the names they have in it."""

    def __init__(
        self,
        job: tree.Job,
        folder: Path,
        device: str = "cpu",
        loaded: Mapping[str, LatentModel] | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.job, self.device = job, device
        self.parts = parts or Parts(device, loaded)
        self.conditions = Conditions(folder, job.size, device)
        self.bound = Binding(self.parts, self.conditions)
        self.first = models_of(job.picture)[0]
        self.left_out: dict[int, list[tuple[int, int]]] = {}
        self.watch: Watch | None = None
        self._energies: dict[tuple[EnergyNode, Model], Condition] = {}
        self._bound_to: Mapping[str, Sequence[Any]] = {}

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """A picture for each prompt and its seed, `(batch, 3, height, width)`, values -1 to 1.

        `left_out` tells of the energies, by their place in the tree, at which timesteps for which pictures they had no
        finite gradient. A `watch` notes how they come about, and changes no bit of them.
        """
        self.left_out = {}
        picture = self.job.picture
        if isinstance(picture, tree.Amdm):
            latents = self._aggregated(picture, prompts, seeds)
        else:
            path = self._path(picture)
            step, often = self._step(picture, prompts, path, self.watch), _repeats(picture.repeats, path)
            latents = sample(step, self._start(seeds), path, _noise_of(seeds), often)
        return self.decode(latents)

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures like its own of latents like its own."""
        return self.parts.model(self.first).decode(latents)

    @property
    def energies(self) -> list[str]:
        """What those that were loaded say of themselves: their range, and what they want to see."""
        return [f"{node.kind}: {condition.energy}" for (node, _), condition in self._energies.items()]

    def of(self, job: tree.Job) -> Composer:
        """The same for another job in this folder: what both name is not loaded again."""
        return Composer(job, self.conditions.folder, self.device, parts=self.parts)

    def _aggregated(self, picture: tree.Amdm, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        paths = [self._path(own) for own in picture.of]
        steps = [
            self._step(own, prompts, path, self.watch and self.watch.within(f"model {number}"))
            for number, (own, path) in enumerate(zip(picture.of, paths, strict=True), 1)
        ]
        apart = picture.start == "independent"
        starts = [self._start(seeds, number if apart else 0) for number in range(len(steps))]
        etas, absolute = picture.eta_absolute or picture.eta, picture.eta_absolute is not None
        how = Aggregation(picture.together, picture.weights, picture.how, etas, absolute)
        return aggregate(steps, starts, paths, how, _noise_of(seeds))

    def _start(self, seeds: Sequence[int], model: int = 0) -> Tensor:
        """The noise that a model of a picture begins with."""
        first = self.parts.model(self.first)
        side = self.job.size // first.scale
        return _drawn(seeds, -1 - model, (first.unet.config.in_channels, side, side)).to(self.device)

    def _path(self, node: tree.Step) -> list[Moment]:
        return moments(self.parts.model(models_of(node)[0]).scheduler, self.job.steps, self.device)

    def _step(self, node: tree.Step, prompts: Sequence[str], path: Sequence[Moment], watch: Watch | None) -> Step:
        denoiser = watched_denoiser(self._denoiser(node.of, prompts, watch), watch)
        if isinstance(node, tree.Ddim):
            return watched_step(ddim_step(denoiser, node.eta), watch)
        names = [f"{number}. {energy.kind}" for number, energy in enumerate(node.energies, 1)]
        energies = [
            watched_condition(self._energy(energy, models_of(node)[0]), watch, name)
            for name, energy in zip(names, node.energies, strict=True)
        ]
        pair = watched_pairs(names, watch)
        self.left_out |= {number: own.left_out for number, own in enumerate(energies, len(self.left_out))}
        if isinstance(node, tree.FreeDom):
            return watched_step(freedom_step(denoiser, energies, pair, node.form), watch)
        how = Dependence(c=node.c, curvature=node.curvature, most_turn=node.most_turn, form=node.form)
        return watched_step(zmagic_step(denoiser, energies, path, how, pair), watch)

    def _energy(self, node: EnergyNode, along: Model) -> Condition:
        """Bound once to what the pictures of a batch are told, with a note of its own for each batch."""
        if self._bound_to != self.conditions.instead:
            self._energies, self._bound_to = {}, self.conditions.instead
        if (node, along) not in self._energies:
            self._energies[node, along] = condition_of(node, self.conditions, self.parts, along)
        return replace(self._energies[node, along], left_out=[])

    def _denoiser(self, node: tree.Denoiser, prompts: Sequence[str], watch: Watch | None) -> Denoiser:
        if isinstance(node, tree.Guided):
            return guided(self._bound(node.model, prompts, watch), node.scale)
        along = node.models[0].model
        models = [
            self._matched(own.model, along, prompts, watch and watch.within(f"part {number}"))
            for number, own in enumerate(node.models, 1)
        ]
        both = zip(models, node.models, strict=True)
        return unite([United(model, own.weight, own.reliability) for model, own in both])

    def _matched(self, node: Model, along: Model, prompts: Sequence[str], watch: Watch | None) -> Bound:
        """A model whose schedule may be another than that of the model which is sampled along."""
        model = self._bound(node, prompts, watch, united=True)
        own, wanted = (self.parts.model(each).scheduler for each in (node, along))
        return model if _alike(own, wanted) else matched(model, own, wanted)

    def _bound(self, node: Model, prompts: Sequence[str], watch: Watch | None, united: bool = False) -> Bound:
        model = replace(self.bound, watch=watch, united=united)(node, prompts)
        return watched_model(noise_of(model, self.parts.model(node).scheduler), watch)


def _alike(one: Any, other: Any) -> bool:
    """Whether two schedulers' schedules are one."""
    return one is other or torch.equal(one.alphas_cumprod, other.alphas_cumprod)


def _repeats(of: tree.TimeTravel | None, path: Sequence[Moment]) -> Callable[[int], int]:
    if of is None:
        return lambda _: 1
    high, low = of.between
    return lambda number: of.times if high >= path[number].t >= low else 1


def _noise_of(seeds: Sequence[int]) -> Noise:
    return lambda x, number: _drawn(seeds, number, tuple(x.shape[1:])).to(x)


def _drawn(seeds: Sequence[int], number: int, shape: Sequence[int]) -> Tensor:
    """Noise of a step, or of a start (below 0): each picture's belongs to its seed, whatever else is in the batch."""
    return torch.stack([torch.randn(*shape, generator=_generator(seed, number)) for seed in seeds])


def _generator(seed: int, number: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
