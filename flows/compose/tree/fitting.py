"""That what a job names is there and fits together, told by files' heads and configurations before anything loads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sluice.flows.compose.tree.facts import Known
from sluice.flows.compose.tree.images_fit import image_fits, scaled
from sluice.flows.compose.tree.job import Guided, Job, Weighted
from sluice.flows.compose.tree.misfit import Misfit, Place, Problem
from sluice.flows.compose.tree.models import Control
from sluice.flows.compose.tree.models_fit import models_fit
from sluice.flows.compose.tree.nodes import OfRecord, OfScene
from sluice.flows.compose.tree.walk import walk
from sluice.flows.compose.tree.weights import WEIGHTS, found
from sluice.infra.errors import SluiceError
from sluice.training.networks.latent_model import LatentModel


class Fitting:
    """Looks at jobs whose images are in `folder`, at what they share once; models that are `given` are there."""

    def __init__(self, folder: Path, given: Mapping[str, LatentModel] | None = None) -> None:
        self.folder, self.given, self.known = folder, given or {}, Known(given)
        self._seen: dict[Hashable, list[str]] = {}

    def __call__(self, job: Job) -> None:
        """Raises Misfit."""
        for look in (self._there, self._readable, partial(models_fit, known=self.known)):
            problems = list(look(job))
            if problems:
                raise Misfit(problems)

    def _there(self, job: Job) -> Iterator[Problem]:
        """The weights and images that are not."""
        for place, value, owner in walk(job):
            if place[-1] in WEIGHTS and isinstance(value, str) and value not in self.given:
                yield from self._wrong(place, value, found, value)
            elif isinstance(value, Path | OfScene | OfRecord):
                key = (str(value), place[-1], scaled(place, owner), job.size)
                yield from self._wrong(place, key, image_fits, place, value, owner, self.folder, job.size)

    def _readable(self, job: Job) -> Iterator[Problem]:
        """The models and controls whose configurations are not."""
        for place, value, owner in walk(job):
            if isinstance(owner, Guided | Weighted) and place[-1] == "model":
                yield from self._wrong(place, value, self.known.model, value)
            elif isinstance(value, Control):
                named = (*place, "network")
                yield from self._wrong(named, ("control", value.network), self.known.config, value.network)

    def _wrong(self, place: Place, key: Hashable, look: Callable[..., Any], *of: Any) -> Iterator[Problem]:
        """What a look finds wrong, where it looks for that, or raises; looked once for each key."""
        if key not in self._seen:
            try:
                seen = look(*of)
                self._seen[key] = list(seen) if isinstance(seen, Iterator) else []
            except SluiceError as error:
                self._seen[key] = [str(error)]
        yield from ((place, said) for said in self._seen[key])
