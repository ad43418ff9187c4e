"""A job as a function from prompts and seeds to pictures: its tree, built of the combiners."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sluice.flows.compose import job as tree
from sluice.flows.compose.conditions import Conditions
from sluice.flows.compose.energies import condition_of
from sluice.inference.combiners.amdm import Aggregation, aggregate
from sluice.inference.combiners.freedom import Condition, freedom_step
from sluice.inference.combiners.unite import United, matched, unite
from sluice.inference.combiners.zmagic import Dependence, zmagic_step
from sluice.inference.controlled import added, composed, minimal_impact
from sluice.inference.denoisers import Denoiser, guided
from sluice.inference.sampler import Moment, Noise, Step, ddim_step, moments, sample
from sluice.infra.models import find
from sluice.infra.settings import ConfigError
from sluice.training import balance
from sluice.training.networks.latent_model import LatentModel


class Composer:
    """Everything that a job names, loaded, but for models that are `loaded` already, by the names they have in it.

    Raises ConfigError where its parts do not belong together.
    """

    def __init__(
        self, job: tree.Job, folder: Path, device: str = "cpu", loaded: Mapping[str, LatentModel] | None = None
    ) -> None:
        self.job, self.device = job, device
        there = loaded or {}
        self.models = {
            name: there.get(name) or LatentModel.load(find(name).path, device) for name in sorted(_names(job.picture))
        }
        self.first = _first(job.picture).model
        self.conditions = Conditions(folder, job.size, device)
        self.left_out: dict[int, list[tuple[int, int]]] = {}
        self._energies: dict[tuple[tree.Energy, str], Condition] = {}
        self._check()

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """A picture for each prompt and its seed, `(batch, 3, height, width)`, values -1 to 1.

        `left_out` tells of the energies, by their place, at which timesteps for which pictures they had no finite
        gradient.
        """
        self.left_out = {}
        model, picture = self.models[self.first], self.job.picture
        side = self.job.size // model.scale
        start = _drawn(seeds, -1, (model.unet.config.in_channels, side, side)).to(self.device)
        if isinstance(picture, tree.Amdm):
            latents = self._aggregated(picture, prompts, start)
        else:
            path = self._path(self.first)
            latents = sample(self._step(picture, prompts, path), start, path, _noise_of(seeds))
        return model.decode(latents)

    def of(self, job: tree.Job) -> Composer:
        """The same for another job in this folder: what both name is not loaded again."""
        another = Composer(job, self.conditions.folder, self.device, self.models)
        another.conditions.networks = self.conditions.networks
        return another

    def cut(self, prompts: Sequence[str]) -> list[str]:
        """Those of some prompts that are longer than the first model's text encoder reads."""
        tokenizer = self.models[self.first].tokenizer
        return [told for told in prompts if len(tokenizer(told).input_ids) > tokenizer.model_max_length]

    def _aggregated(self, picture: tree.Amdm, prompts: Sequence[str], start: Tensor) -> Tensor:
        paths = [self._path(_first(own).model) for own in picture.of]
        steps = [self._step(own, prompts, path) for own, path in zip(picture.of, paths, strict=True)]
        how = Aggregation(picture.together, picture.weights, picture.how)
        return aggregate(steps, [start] * len(steps), paths, how)

    def _path(self, name: str) -> list[Moment]:
        return moments(self.models[name].scheduler, self.job.steps, self.device)

    def _step(self, node: tree.Step, prompts: Sequence[str], path: Sequence[Moment]) -> Step:
        name = _first(node).model
        denoiser = self._denoiser(node.of, prompts, name)
        if isinstance(node, tree.Ddim):
            return ddim_step(denoiser, node.eta)
        energies = [self._energy(energy, name) for energy in node.energies]
        self.left_out = {number: energy.left_out for number, energy in enumerate(energies)}
        if isinstance(node, tree.FreeDom):
            return freedom_step(denoiser, energies)
        return zmagic_step(denoiser, energies, path, Dependence(c=node.c, curvature=node.curvature))

    def _energy(self, node: tree.Energy, name: str) -> Condition:
        """Loaded once, with a note of its own for each batch."""
        if (node, name) not in self._energies:
            self._energies[node, name] = condition_of(node, self.conditions, self.models[name], name)
        return replace(self._energies[node, name], left_out=[])

    def _denoiser(self, node: tree.Denoiser, prompts: Sequence[str], along: str) -> Denoiser:
        if isinstance(node, tree.Guided):
            return self._guided(node.model, prompts, node.scale)
        united = [
            United(
                self._matched(own.model, prompts, 1.0, along),
                self._matched(own.model, prompts, 0.0, along),
                own.weight,
                own.reliability,
            )
            for own in node.models
        ]
        return unite(united)

    def _matched(self, node: tree.Model, prompts: Sequence[str], scale: float, along: str) -> Denoiser:
        """Of a model whose schedule may be another than that of the model which is sampled along."""
        denoiser, name = self._guided(node, prompts, scale), _base(node).model
        if name == along:
            return denoiser
        return matched(denoiser, self.models[name].scheduler, self.models[along].scheduler)

    def _guided(self, node: tree.Model, prompts: Sequence[str], scale: float) -> Denoiser:
        base = _base(node)
        model = self.models[base.model]
        told = [base.prompt] * len(prompts) if base.prompt is not None else prompts
        states, null = model.states(told), model.states([""])
        if isinstance(node, tree.Base):
            return guided(model.unet, states, null, scale)
        if isinstance(node, tree.ComposeAndConquer):
            fusers, conditions = self.conditions.fusers(node, model, len(prompts))
            return composed(model, fusers, states, null, conditions, scale)
        controls = [self.conditions.control(control, len(prompts)) for control in node.controls]
        if isinstance(node, tree.MultiControlNet):
            return added(model, states, null, controls, scale)
        return minimal_impact(model, states, null, controls, scale, getattr(balance, node.rule))

    def _check(self) -> None:
        wanted = self.models[self.first]
        if self.job.size % wanted.scale:
            raise ConfigError(f"size {self.job.size} is no multiple of {wanted.scale}, the pixels for one latent")
        for name, model in self.models.items():
            if (model.scale, model.unet.config.in_channels) != (wanted.scale, wanted.unet.config.in_channels):
                raise ConfigError(
                    f"{name} has {model.unet.config.in_channels} channels of latents, {model.scale} pixels each, and "
                    f"{self.first} {wanted.unet.config.in_channels} of {wanted.scale}: models compose in latents alike"
                )


def _base(node: tree.Model) -> tree.Base:
    return node if isinstance(node, tree.Base) else node.over


def _first(node: tree.Whole) -> tree.Base:
    """The base of the model that a picture is sampled along: the first."""
    if isinstance(node, tree.Amdm):
        return _first(node.of[0])
    return _base(node.of.model if isinstance(node.of, tree.Guided) else node.of.models[0].model)


def _names(node: tree.Whole) -> set[str]:
    """The models of a tree."""
    if isinstance(node, tree.Amdm):
        return set.union(*[_names(own) for own in node.of])
    if isinstance(node.of, tree.Guided):
        return {_base(node.of.model).model}
    return {_base(own.model).model for own in node.of.models}


def _noise_of(seeds: Sequence[int]) -> Noise:
    return lambda x, number: _drawn(seeds, number, tuple(x.shape[1:])).to(x)


def _drawn(seeds: Sequence[int], number: int, shape: Sequence[int]) -> Tensor:
    """Noise of a step, or of the start (-1): each picture's belongs to its seed, whatever else is in the batch."""
    return torch.stack([torch.randn(*shape, generator=_generator(seed, number)) for seed in seeds])


def _generator(seed: int, number: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
