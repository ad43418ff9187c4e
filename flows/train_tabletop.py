"""`sluice train tabletop`: the whole family from nothing, part by part, resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from sluice.infra.errors import SluiceError
from sluice.training.tabletop.family import family
from sluice.training.tabletop.loop import Training
from sluice.training.tabletop.recipe import Part


class UnknownPart(SluiceError):
    """The family has no part of this name."""


def train_tabletop(out: Path, only: Sequence[str], steps: int | None, seed: int, console: Console) -> None:
    """Train the parts that are not trained yet, or `only` some; `steps` shortens each of them.

    Models go to `out/models`, what is needed to go on to `out/runs`. Raises UnknownPart.
    """
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    parts = family(out)
    for name in only:
        if name not in parts:
            raise UnknownPart(f"--only {name}: the family has no such part; there are: {', '.join(parts)}")
    for part in parts.values():
        if part.name in only or not only:
            _train(part, out, steps, seed, device, console)


def _train(part: Part, out: Path, steps: int | None, seed: int, device: torch.device, console: Console) -> None:
    done = out / "runs" / part.name / "done"
    if done.exists():
        console.print(f"{part.name}: trained already ({done.read_text().strip()})")
        return
    if steps is not None:
        part.recipe = replace(part.recipe, steps=steps)
    part.prepare(out / "models", lambda line: console.print(f"{part.name}: {line}"))
    training = Training(part, out / "models", out / "runs" / part.name, seed, device)
    began, first = time.monotonic(), training.step

    def report(step: int, losses: Mapping[str, float]) -> None:
        if step % 200 == 0:
            pace = (step - first) * part.recipe.batch / (time.monotonic() - began)
            left = (part.recipe.steps - step) * part.recipe.batch / pace / 60
            told = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
            console.print(f"{part.name}: step {step} of {part.recipe.steps}, {told}; {pace:.0f}/s, {left:.0f} min left")

    part.save(training.run(report), out / "models")
    done.write_text(f"{part.recipe.steps} steps of {part.recipe.batch}\n")
