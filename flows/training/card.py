"""The model card of a trained network: from what, by which recipe, and how good."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.flows.observe.given import own_words
from sluice.flows.training.data import BUILT
from sluice.infra.code import code_version
from sluice.infra.whole import write_whole
from sluice.training.data import TrainingData
from sluice.training.recipe import Recipe

SNAPSHOTS = "snapshots"
"""Beside the model: what it was along its training, a folder for each step."""
CHECKPOINTS = "checkpoints"
"""Where a training keeps what it needs to go on, unless told otherwise."""
CARD = "README.md"
"""Of a network, written last: without it a training was cut off while it saved."""
ORIGIN = "training.json"
"""What a network is made of, for programs: beside it and in the folder of its training."""


def write_origin(
    folder: Path,
    recipe: Recipe,
    steps: int,
    identity: Mapping[str, str],
    data: Sequence[TrainingData],
    states: str | None = None,
) -> None:
    """Recipe, steps, digests of data and of models, where the data lie, the code, and the command that goes on with it.

    `states` is where its checkpoints are, if not in the folder.
    """
    told = {
        "recipe": recipe.model_dump(exclude_none=True),
        "steps": steps,
        "identity": dict(identity),
        "data": [{"uri": own.uri, "digest": own.digest} for own in data],
        "code": code_version(),
        "folder": str(Path.cwd()),
        "checkpoints": states if states is None or "://" in states else str(Path(states).absolute()),
        "command": _command([own.digest for own in data]),
    }
    write_whole(folder / ORIGIN, json.dumps(told, indent=1) + "\n")


def _command(digests: Sequence[str]) -> str | None:
    """As it was given, with the versions of data sets that it read: after the next build their names mean others.

    None where something else than `sluice train` trains.
    """
    words, left = own_words(), iter(digests)
    for at, word in enumerate(words):
        start = len("--data=") if word.startswith("--data=") else 0
        if start or (at and words[at - 1] == "--data"):
            words[at] = word[:start] + _at_version(word[start:], next(left, ""))
    return shlex.join(["sluice", *words]) if words[:1] == ["train"] else None


def _at_version(uri: str, digest: str) -> str:
    built = BUILT.fullmatch(uri)
    named = built is not None and digest.startswith(f"{built['name']} ")
    return f"{built['out']}datasets/{built['name']}/{digest.rpartition(' ')[2]}" if built and named else uri


def identity_in(folder: Path) -> dict[str, str] | None:
    """What the training in a folder is, None where there is none, or nobody can tell."""
    try:
        identity = json.loads((folder / ORIGIN).read_text())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return identity if isinstance(identity, dict) else None


def write_card(model: Path, recipe: Recipe, identity: Mapping[str, str], lines: Sequence[Mapping[str, float]]) -> Path:
    """`README.md` beside a network, from its training's log; nothing in it is typed by hand."""
    last = {name: value for line in lines for name, value in line.items() if name != "step"}
    from_ = {name: told for name, told in identity.items() if name.startswith("data") or name.endswith("weights")}
    values = {name: value for name, value in recipe.model_dump().items() if value is not None}
    text = [
        f"# {recipe.method}" + (f", {recipe.control}" if recipe.control else ""),
        "",
        f"Trained by `sluice train`, {int(lines[-1]['step']) if lines else 0} steps of {recipe.batch}.",
        "",
        *_table("figure, last logged", {name: f"{value:.4g}" for name, value in last.items()}),
        *_table("made of", {**from_, "code": code_version()}),
        *_table("setting", values),
    ]
    write_whole(model / CARD, "\n".join(text) + "\n")
    return model / CARD


def _table(head: str, rows: Mapping[str, object]) -> list[str]:
    return [f"| {head} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()), ""]
