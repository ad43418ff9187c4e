"""The pictures that jobs ask for: each with everything that is needed to make it again."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from sluice.flows.compose.run.naming import name_by
from sluice.flows.compose.run.safety import NONE, found_or_refused, usual
from sluice.flows.compose.tree.fitting import Fitting
from sluice.flows.compose.tree.images import digest_of, images_of, name_of
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.weights import WEIGHTS, found
from sluice.training.networks.latent_model import LatentModel


@dataclass(frozen=True)
class Asked:
    """One picture: its prompt and seed, and the name of its files, a digest of all that it is made of."""

    prompt: str
    seed: int
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return name_by(self.record)


@dataclass(frozen=True)
class Given:
    """A model of this process, and what a record tells of it."""

    model: LatentModel
    told: str


@dataclass
class MadeOf:
    """Digests of what pictures are made of, each taken once: images in `folder`, and weights by name.

    `given` are models of this process, by the names they have in jobs; `screens` are what judges
    pictures of some models.
    """

    folder: Path
    given: Mapping[str, Given] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    screens: dict[frozenset[str], str] = field(default_factory=dict)

    @cached_property
    def fitting(self) -> Fitting:
        """Looks at jobs before they are digested."""
        return Fitting(self.folder, {name: own.model for name, own in self.given.items()})

    def __call__(self, job: Job, safety: str) -> dict[str, str]:
        """Of a job whose pictures are judged so. Raises ConfigError for an image that is not there, and as `found`."""
        digests: dict[str, Callable[[], str]] = {
            name: partial(self._weights, name) for name in named(job.model_dump(), *WEIGHTS)
        }
        digests |= {name: partial(found_or_refused, name) for name in {safety} - {NONE}}
        digests |= {
            name_of(image, job.size): partial(digest_of, image, self.folder, job.size) for image in images_of(job)
        }
        for name in sorted(digests.keys() - self.known.keys()):
            self.known[name] = digests[name]()
        return {name: self.known[name] for name in sorted(digests)}

    def screen_of(self, models: Collection[str]) -> str:
        """What judges pictures of these models, unless a job says."""
        own = frozenset(own for own in models if own not in self.given)
        if own not in self.screens:
            self.screens[own] = usual(own)
        return self.screens[own]

    def _weights(self, name: str) -> str:
        return self.given[name].told if name in self.given else found(name).digest


def pictures_of(job: Job, made_of: MadeOf) -> Iterator[Asked]:
    """Every prompt with every seed. Raises Misfit, and what `made_of` raises."""
    made_of.fitting(job)
    plain = job.model_dump(mode="json")
    plain["safety"] = job.safety or made_of.screen_of(named(plain, "model"))
    shared = {
        "folder": str(made_of.folder.absolute()),
        "made_of": made_of(job, plain["safety"]),
        "sluice": _version(),
    }
    for prompt in job.prompts:
        for seed in job.all_seeds:
            yield Asked(prompt, seed, {"job": {**plain, "prompts": [prompt], "seeds": [seed], "count": 1}, **shared})


@cache
def _version() -> str:
    return importlib.metadata.version("sluice-diffusion")


def named(node: Any, *names: str) -> set[str]:
    """What a tree's nodes have under some names."""
    if isinstance(node, list | tuple):
        return set().union(*[named(own, *names) for own in node])
    if not isinstance(node, dict):
        return set()
    own = {value for name, value in node.items() if name in names and isinstance(value, str)}
    return own.union(*[named(value, *names) for value in node.values()])
