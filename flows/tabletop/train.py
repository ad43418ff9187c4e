"""`sluice train tabletop`: the whole family from nothing, part by part, resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from rich.console import Console

from sluice.flows.observe.page import LivePage
from sluice.flows.tabletop.given import take
from sluice.flows.tabletop.page import PAGE, keep_samples, page_now, write_page
from sluice.flows.tabletop.runs import DONE, keep_to_recipe, mark_done, refuse_without_needs
from sluice.infra.errors import SluiceError
from sluice.infra.lock import alone_in
from sluice.infra.storage import storage
from sluice.training.tabletop.family import family
from sluice.training.tabletop.loop import Training
from sluice.training.tabletop.recipe import Part

TOLD_STEPS = 200
SAMPLE_SECONDS = 600.0


class UnknownPart(SluiceError):
    """The family has no part of this name."""


def train_tabletop(
    out: Path, only: Sequence[str], steps: int | None, seed: int, console: Console, given: Path | None = None
) -> None:
    """Train the parts that are not trained yet, or `only` some; `steps` is how long, instead of the recipes' own.

    What these need and is not there is taken from the family `given`, where one is. Models go to `out/models`, what is
    needed to go on to `out/runs`, the page to `out/index.html`. Raises UnknownPart, UntrainedPart, OtherRecipe,
    Occupied, ModelFolderError.
    """
    torch.set_float32_matmul_precision("high")
    transformers.utils.logging.disable_progress_bar()
    parts = family(out)
    for name in only:
        if name not in parts:
            raise UnknownPart(f"--only {name}: the family has no such part; there are: {', '.join(parts)}")
    if steps is not None:
        for part in parts.values():
            part.shorten(steps)
    with alone_in(out), LivePage(storage(out), PAGE, lambda: page_now(out, parts)):
        write_page(out, parts)
        for part in parts.values():
            if part.name in only or not only:
                if given is not None:
                    _take_needs(part, parts, given, out, console)
                _train(part, out, seed, console)
    console.print(f"The page of it all: {write_page(out, parts)}; its figures: `sluice train measure {out / 'models'}`")


def _take_needs(part: Part, parts: Mapping[str, Part], given: Path, out: Path, console: Console) -> None:
    for need in part.needs:
        if not (out / "runs" / need / DONE).exists():
            take(parts[need], given, out)
            console.print(f"{need}: taken from {given}")


def _train(part: Part, out: Path, seed: int, console: Console) -> None:
    run = out / "runs" / part.name
    refuse_without_needs(part, out)
    keep_to_recipe(part, out, seed)
    if (run / DONE).exists():
        console.print(f"{part.name}: trained already ({(run / DONE).read_text().strip()})")
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    part.prepare(out / "models", device, lambda line: console.print(f"{part.name}: {line}"))
    training = Training(part, out / "models", run, seed, device)
    part.save(training.run(_Progress(training, out, console)), out / "models")
    mark_done(part, training.average, out)
    keep_samples(part, training.average, out)


@dataclass
class _Progress:
    """What a training says as it goes; every ten minutes it draws pictures for the page."""

    training: Training
    out: Path
    console: Console
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.first, self.told, self.drawn = self.training.step, False, self.began

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        if not self.told or step % TOLD_STEPS == 0:
            self._tell(step, losses)
            self.told = True
        if time.monotonic() - self.drawn > SAMPLE_SECONDS:
            keep_samples(self.training.part, self.training.average, self.out)
            self.drawn = time.monotonic()

    def _tell(self, step: int, losses: Mapping[str, float]) -> None:
        recipe, name = self.training.part.recipe, self.training.part.name
        pace = (step - self.first) * recipe.batch / (time.monotonic() - self.began)
        left = (recipe.steps - step) * recipe.batch / pace / 60
        told = ", ".join(f"{of} {value:.4f}" for of, value in losses.items())
        self.console.print(f"{name}: step {step} of {recipe.steps}, {told}; {pace:.0f}/s, {left:.0f} min left")
