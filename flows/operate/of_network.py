"""Where weights come from: a package or hub, or a training, its recipe, its data and what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sluice.flows.operate.of_version import of_data
from sluice.flows.operate.told import Told, plain
from sluice.flows.operate.trainings import RECIPE, TrainingFolder
from sluice.flows.training.card import ORIGIN
from sluice.infra.errors import SluiceError
from sluice.infra.weights.catalogue import catalogue
from sluice.infra.weights.models import Found, find

ABOVE = 3
"""A network's part, OUT/model/local, lies three folders below its training."""


def of_weights(name: str, digest: str | None, folder: Path, above: frozenset[Path] = frozenset()) -> Told:
    """Of weights by a name or a path, which may begin in `folder`; `digest` is what they had when they were used.

    `above` are trainings that hang on these weights, told already.
    """
    try:
        found = find(str(folder / name) if name not in catalogue() and (folder / name).exists() else name)
    except SluiceError as error:
        return Told(f"{name}: no longer here ({plain(error)}); SHA-256 {digest or 'not known'}")
    here = f"SHA-256 {found.digest}"
    if digest is not None and digest != found.digest:
        here = f"used with SHA-256 {digest}; what is there now has {found.digest}"
    return Told(f"{name}: {here}", list(_published(found) if found.info else _trained(found.path, above)))


def _published(found: Found) -> Iterator[Told]:
    if found.info is not None:
        yield Told(f"from {found.info.origin}; licence: {found.info.licence}")


def _trained(path: Path, above: frozenset[Path]) -> Iterator[Told]:
    training = training_of(path)
    if training is None:
        yield Told(f"of no training that is noted: there is no {ORIGIN} beside it")
    elif training.path in above:
        yield Told(f"the training in {training.path}, as above")
    else:
        yield of_training(training, above)


def training_of(path: Path) -> TrainingFolder | None:
    """The training whose network, snapshot or checkpoint lies here."""
    for folder in (path, *path.absolute().parents[:ABOVE]):
        if (folder / ORIGIN).is_file() or (folder / RECIPE).is_file():
            return TrainingFolder(folder)
    return None


def of_training(training: TrainingFolder, above: frozenset[Path] = frozenset()) -> Told:
    """Of a training: its recipe, code, data, and the models it began with."""
    recipe = training.origin.get("recipe") or training.recipe
    return Told(
        f"training noted in {training.path}",
        [*_of_recipe(training, recipe, above | {training.path}), *_kept(training)],
    )


def _kept(training: TrainingFolder) -> Iterator[Told]:
    for step in training.checkpoints:
        note = training.note(step)
        yield Told(f"checkpoint after step {step}, SHA-256 {note.get('sha256', 'not noted')}")


def _of_recipe(training: TrainingFolder, recipe: Mapping[str, Any], above: frozenset[Path]) -> Iterator[Told]:
    identity, origin = training.identity, training.origin
    folder = Path(origin.get("folder", "."))
    steps = f"{training.steps} steps" if training.steps else "steps: not known"
    yield Told(f"recipe, {steps}: {plain({name: value for name, value in recipe.items() if value is not None})}")
    yield Told(f"code: {origin.get('code', 'not noted, by a Sluice before it was')}")
    yield from _of_data(origin, training.data)
    for name in ("base", "begin"):
        if recipe.get(name):
            made = of_weights(recipe[name], identity.get(f"{name} weights"), folder, above)
            yield Told(f"{name}: {made.line}", made.under)


def _of_data(origin: Mapping[str, Any], digests: list[str]) -> Iterator[Told]:
    noted = origin.get("data", [])
    yield from (of_data(own["uri"], own["digest"]) for own in noted)
    if not noted:
        yield from (Told(f"data: {digest}; where they lay was not noted") for digest in digests)
