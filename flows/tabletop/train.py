"""`sluice train tabletop`: the whole family from nothing, part by part, resumable at any moment."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.console import Console

from sluice.infra.errors import SluiceError
from sluice.training.tabletop.family import family
from sluice.training.tabletop.loop import Training
from sluice.training.tabletop.recipe import Part

RECIPE, DONE = "recipe.json", "done"


class UnknownPart(SluiceError):
    """The family has no part of this name."""


class UntrainedPart(SluiceError):
    """A part needs others that are not trained."""


class OtherRecipe(SluiceError):
    """What is there was trained otherwise than what is asked for."""


def train_tabletop(out: Path, only: Sequence[str], steps: int | None, seed: int, console: Console) -> None:
    """Train the parts that are not trained yet, or `only` some; `steps` shortens each of them.

    Models go to `out/models`, what is needed to go on to `out/runs`. Raises UnknownPart, UntrainedPart, OtherRecipe.
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
    if steps is not None:
        part.recipe = replace(part.recipe, steps=steps, warm_up=min(part.recipe.warm_up, steps))
    run = out / "runs" / part.name
    done = run / DONE
    keep_to_recipe(part, run, seed)
    if done.exists():
        console.print(f"{part.name}: trained already ({done.read_text().strip()})")
        return
    refuse_without_needs(part, out)
    part.prepare(out / "models", lambda line: console.print(f"{part.name}: {line}"))
    training = Training(part, out / "models", run, seed, device)
    began, first = time.monotonic(), training.step

    def report(step: int, losses: Mapping[str, float]) -> None:
        if step % 200 == 0:
            pace = (step - first) * part.recipe.batch / (time.monotonic() - began)
            left = (part.recipe.steps - step) * part.recipe.batch / pace / 60
            told = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
            console.print(f"{part.name}: step {step} of {part.recipe.steps}, {told}; {pace:.0f}/s, {left:.0f} min left")

    part.save(training.run(report), out / "models")
    done.write_text(f"{part.recipe.steps} steps of {part.recipe.batch}\n")


def keep_to_recipe(part: Part, run: Path, seed: int) -> None:
    """Note the recipe of a run that begins; raises OtherRecipe where one began in this folder with another."""
    asked = asdict(part.recipe) | {"seed": seed}
    file = run / RECIPE
    if not file.exists():
        run.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asked) + "\n")
        return
    began = json.loads(file.read_text())
    other = [f"{name} {began.get(name)} and not {value}" for name, value in asked.items() if began.get(name) != value]
    if other:
        raise OtherRecipe(
            f"{run} holds {part.name} trained with {', '.join(other)}. Give this training an --out of its own, or "
            "remove that folder to train the part anew."
        )


def refuse_without_needs(part: Part, out: Path) -> None:
    """Raises UntrainedPart where a part comes before those it is trained with."""
    missing = [need for need in part.needs if not (out / "runs" / need / DONE).exists()]
    if missing:
        options = " ".join(f"--only {need}" for need in missing)
        raise UntrainedPart(
            f"{part.name} is trained with {' and '.join(missing)}, not trained in {out}: "
            f"`sluice train tabletop {options} --out {out}` comes first."
        )
