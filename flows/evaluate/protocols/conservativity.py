"""The conservativity loss lowers the Jacobian's asymmetry and leaves the noise loss as it is (MIControlNet, Sec. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import CONTROLS, Case, cases, draws_of, shown
from sluice.flows.evaluate.claims import ENOUGH, Claim, Curve, Estimate, Verdict, judged
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.kept import kept
from sluice.flows.evaluate.methods import FIRST_STAGE, MICONTROLNET, Method
from sluice.inference.metrics.asymmetry import asym, nasym, probed
from sluice.inference.metrics.bootstrap import of_mean, of_ratio
from sluice.infra.weights.pretrained import load_network
from sluice.training.balance import with_silent_mask
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import balance, features_of, injected
from sluice.training.networks.unet import decode, encode

STAGES = (FIRST_STAGE, MICONTROLNET)
NETWORKS = tuple(f"{own.network}-canny" for own in STAGES)
"""At least; of another control stage 1 does not ship."""
LEVELS = (100, 300, 500, 700, 900)
PROBES = 2
BATCH = 32
STEPS = 1000
"""Of training: apart by so many are the draws of two seeds."""
HALF, HARMLESS = 0.5, 1.03
SAYS = "The conservativity loss at least halves Asym, and the noise loss stays within 3%."
RULE = (
    f"Of stage 2 over stage 1, 95% intervals paired by case, {ENOUGH} or more: the ratio of Asym ends below {HALF:g} "
    f"and that of the noise loss below {HARMLESS:g}. In part: Asym's ends below 1, with the noise loss as asked."
)


@dataclass(frozen=True)
class Seen:
    """Of each case, means over seeds, `(levels, batch)`: Asym a dimension, NAsym, the noise loss."""

    asym: Tensor
    nasym: Tensor
    noise: Tensor

    @property
    def overall(self) -> Seen:
        """Means over noise levels, `(batch,)`."""
        return Seen(*(own.mean(dim=0) for own in (self.asym, self.nasym, self.noise)))


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every control's two stages, under the whole control."""
    base = found(contest.sampling.base)
    model = LatentModel.load(base.path)
    estimates: list[Estimate] = []
    verdicts: dict[str, Verdict] = {}
    for control in contest.controls(STAGES):
        some, seen = cases(CONTROLS[control], count), {}
        for stage in STAGES:
            seen[stage] = jacobians(contest, model, base.digest, contest.networks.name(stage, control), control, some)
            contest.curves.append(_along(control, stage, seen[stage]))
            estimates += _of_one(control, stage, seen[stage].overall)
        first, second = (seen[stage].overall for stage in STAGES)
        lower, noise = of_ratio(second.asym, first.asym), of_ratio(second.noise, first.noise)
        harmless = noise.high < HARMLESS
        verdicts[control] = judged(harmless and lower.high < HALF, harmless and lower.high < 1, len(some))
        estimates += [
            Estimate(f"{figure}, stage 2 / stage 1", control, MICONTROLNET.name, "ratio", ratio, len(some))
            for figure, ratio in (("Asym", lower), ("noise loss", noise))
        ]
    return estimates, [Claim(SAYS, RULE, verdicts)]


def networks(contest: Contest) -> dict[str, str]:
    """The places of both stages' networks, of every control that has both."""
    names = (contest.networks.names(STAGES, control) for control in contest.controls(STAGES))
    return {name: contest.networks.of(name) for own in names for name in own}


def jacobians(contest: Contest, model: LatentModel, base: str, place: str, control: str, some: list[Case]) -> Seen:
    """Of the path through a control network alone: what the U-Net's encoder sees, and all weights, are held.

    Kept in the contest's place for each batch of cases; `base` is the model's digest.
    """
    own, seeds = found(place), contest.sampling.seeds
    network = load_network(ControlNetModel, own.path, dtype=torch.float32).requires_grad_(False)

    def of(batch: list[Case]) -> list[Any]:
        at = _Batch.of(model, network, control, batch)
        return [torch.stack([at.at(t, seed) for seed in range(seeds)]).mean(dim=0).tolist() for t in LEVELS]

    parts = []
    for start in range(0, len(some), BATCH):
        batch = some[start : start + BATCH]
        told = "jacobians", base, own.digest, control, [case.number for case in batch], seeds, LEVELS, PROBES
        parts.append(torch.tensor(kept(contest.place, told, partial(of, batch))))
    return Seen(*torch.cat(parts, dim=2).unbind(dim=1))


@dataclass(frozen=True)
class _Batch:
    model: LatentModel
    network: Any
    cases: list[Case]
    control: Tensor
    states: Tensor
    latents: Tensor

    @classmethod
    def of(cls, model: LatentModel, network: Any, control: str, some: list[Case]) -> _Batch:
        image = shown(some, control)
        whole = with_silent_mask(image, torch.ones_like(image[:, :1]))[:, : network.config.conditioning_channels]
        states = model.states([case.prompt for case in some])
        return cls(model, network, some, whole, states, model.encode(shown(some, "image") * 2 - 1))

    def at(self, t: int, seed: int) -> Tensor:
        """Asym a dimension, NAsym and the noise loss at a timestep, under a seed's noise and probes, `(3, batch)`."""
        own = STEPS * seed + t
        noise = draws_of(self.cases, own).normal("noise", self.latents.shape[1:])
        x = self.model.scheduler.add_noise(self.latents, noise, torch.full((len(noise),), t))
        with torch.no_grad():
            encoded = encode(self.model.unet, x, t, self.states)
            held = balance(encoded, [self._features(x, t)])

        def predict(seen: Tensor) -> Tensor:
            return decode(self.model.unet, injected(encoded, [self._features(seen, t)], held))

        jacobian = probed(predict, x, PROBES, seed=own)
        with torch.no_grad():
            error = (predict(x) - noise).square().flatten(1).mean(dim=1)
        return torch.stack([asym(jacobian) / x[0].numel(), nasym(jacobian), error])

    def _features(self, x: Tensor, t: int) -> tuple[Tensor, ...]:
        return features_of(self.network, x, t, self.states, self.control)


def _along(control: str, method: Method, seen: Seen) -> Curve:
    """Over the noise levels."""
    return Curve("Asym", control, method.name, "timesteps", LEVELS, list(map(of_mean, seen.asym)), seen.asym.shape[1])


def _of_one(control: str, method: Method, seen: Seen) -> list[Estimate]:
    figures = (("Asym", "a dimension", seen.asym), ("NAsym", "share", seen.nasym), ("noise loss", "", seen.noise))
    return [Estimate(name, control, method.name, unit, of_mean(own), len(own)) for name, unit, own in figures]
