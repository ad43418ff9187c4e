"""The folders of a family's training: what each run was begun with, what it needs, and whether it is done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from torch import nn

from sluice.infra.errors import SluiceError
from sluice.infra.whole import write_whole
from sluice.training.tabletop.recipe import Part

RECIPE, DONE = "recipe.json", "done"
TAKEN = "taken"


class UntrainedPart(SluiceError):
    """A part needs others that are not trained."""


class OtherRecipe(SluiceError):
    """What is there was trained otherwise than what is asked for."""


def keep_to_recipe(part: Part, out: Path, seed: int) -> None:
    """Note what a run begins with; raises OtherRecipe where one began with something else."""
    run = out / "runs" / part.name
    asked = asdict(part.recipe) | {"seed": seed, "scenes": repr(part.scenes)}
    asked |= {need: (out / "runs" / need / DONE).read_text().strip() for need in part.needs}
    file = run / RECIPE
    if not file.exists():
        write_whole(file, json.dumps(asked) + "\n")
        return
    try:
        began = json.loads(file.read_text())
    except ValueError as error:
        raise OtherRecipe(f"{file} is no JSON; remove {run} to train {part.name} anew") from error
    other = [f"{name} {began.get(name)} and not {value}" for name, value in asked.items() if began.get(name) != value]
    if other:
        raise OtherRecipe(
            f"{run} holds {part.name} trained with {', '.join(other)}. Give this training an --out of its own, or "
            "remove that folder to train the part anew."
        )


def mark_done(part: Part, network: nn.Module, out: Path) -> None:
    """Say that a part is trained, and which weights came of it."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    write_whole(
        out / "runs" / part.name / DONE,
        f"{part.recipe.steps} steps of {part.recipe.batch}, weights {digest.hexdigest()[:12]}\n",
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
