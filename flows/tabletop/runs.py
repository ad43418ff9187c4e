"""The folders of a family's training: what each run was begun with, what it needs, and whether it is done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from sluice.infra.errors import SluiceError
from sluice.training.tabletop.recipe import Part

RECIPE, DONE = "recipe.json", "done"


class UntrainedPart(SluiceError):
    """A part needs others that are not trained."""


class OtherRecipe(SluiceError):
    """What is there was trained otherwise than what is asked for."""


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
