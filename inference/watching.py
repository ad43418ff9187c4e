"""Watching a sampling: wrappers that note what passes through a step, and change none of it.

What is wrapped gives the very tensors that it would give; where nobody watches, a thing comes back as it is. Steps,
models and energies are here; controls on a U-Net's features are in `watching_controls.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.inference.combiners.freedom import Condition, Pair
from sluice.inference.denoisers import Bound, Denoiser
from sluice.inference.sampler import Moment, Step, clean_estimate

What = Literal["estimate", "guidance", "energy", "cosine", "share", "weight", "gain"]


@dataclass
class Notes:
    """By what and of whom, then by timestep: `(count, ...)`. Of what one step asks several times, the first is noted.

    `estimate`: the clean latent that a step foresees. `guidance`: how far a model's two predictions are apart, in
    shares of the null one's length. `energy`: its value. `cosine`: of what two conditions add. Of controls, at each
    layer of the U-Net, `(count, layers)`: `share`, the length of what is added in shares of the feature's, `weight` and
    `gain`, MIControlNet's balance.
    """

    of: dict[tuple[What, str], dict[int, Tensor]] = field(default_factory=dict)
    at: Moment | None = None
    noted: set[tuple[What, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Watch:
    """Notes on the first `count` pictures of a batch, by one of the models that make them: `where` it is in the job."""

    count: int
    notes: Notes = field(default_factory=Notes)
    where: str = ""

    def within(self, part: str) -> Watch:
        """The same notes, by a part of what makes the pictures."""
        return replace(self, where=f"{self.where}{part}: ")

    def begin(self, at: Moment) -> None:
        """A step begins: what is noted now belongs to it."""
        self.notes.at = at
        self.notes.noted.clear()

    def wants(self, what: What, whose: str = "") -> bool:
        """Whether this step has not noted it yet."""
        return (what, self.where + whose) not in self.notes.noted

    @torch.no_grad()
    def note(self, what: What, whose: str, values: Tensor) -> None:
        """Of the pictures that are watched, `(count, ...)`."""
        if self.notes.at is not None and self.wants(what, whose):
            name = (what, self.where + whose)
            self.notes.noted.add(name)
            self.notes.of.setdefault(name, {})[self.notes.at.t] = values.detach().float().cpu().clone()


def watched_step(step: Step, watch: Watch | None) -> Step:
    """A step that says when it begins."""
    if watch is None:
        return step

    def watched(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        watch.begin(at)
        return step(x, at, z)

    return watched


def watched_denoiser(denoiser: Denoiser, watch: Watch | None) -> Denoiser:
    """A denoiser, with the clean latents that its predictions mean."""
    if watch is None:
        return denoiser

    def watched(x: Tensor, t: float) -> Tensor:
        eps = denoiser(x, t)
        if watch.notes.at is not None and watch.wants("estimate"):
            own = slice(watch.count)
            watch.note("estimate", "", clean_estimate(x[own].detach(), eps[own].detach(), watch.notes.at.abar))
        return eps

    return watched


def watched_model(model: Bound, watch: Watch | None) -> Bound:
    """A model, with how much its conditions change its prediction."""
    if watch is None:
        return model

    def watched(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        null, own = model(x, t)
        if watch.wants("guidance"):
            untold, told = null[: watch.count].detach(), own[: watch.count].detach()
            watch.note("guidance", "", share(told - untold, untold))
        return null, own

    return watched


def watched_condition(condition: Condition, watch: Watch | None, name: str) -> Condition:
    """A condition, with the values of its energy; what it leaves out is noted where it was."""
    if watch is None:
        return condition
    energy: Callable[[Tensor], Tensor] = condition.energy

    def watched(shown: Tensor) -> Tensor:
        values = energy(shown)
        watch.note("energy", name, values[: watch.count])
        return values

    return replace(condition, energy=watched)


def watched_pairs(names: Sequence[str], watch: Watch | None) -> Pair | None:
    """Notes how far what two conditions add agrees, the second's in Z-Magic as the first has changed it (Fig. 1)."""
    if watch is None:
        return None

    def pair(one: int, other: int, added: Tensor, after: Tensor) -> None:
        first, second = added[: watch.count].flatten(1), after[: watch.count].flatten(1)
        if first.any() and second.any():  # a silent condition agrees with none
            watch.note("cosine", f"{names[one]}, {names[other]}", F.cosine_similarity(first, second))

    return pair


def share(added: Tensor, before: Tensor) -> Tensor:
    """The length of what is added to each sample in shares of its own, `(batch,)`; vectors are `(batch, ...)`."""
    length, own = (vectors.flatten(1).float().norm(dim=1) for vectors in (added, before))
    found: Tensor = length / own.clamp(min=1e-12)
    return found
