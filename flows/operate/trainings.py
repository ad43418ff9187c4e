"""Trainings that lie in folders: how far each is, and what it left."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from sluice.flows.training.card import CARD, CHECKPOINTS, ORIGIN
from sluice.infra.errors import SluiceError
from sluice.infra.lock import is_held
from sluice.infra.shape import read_shaped
from sluice.infra.storage import Storage, storage

RECIPE, LOSSES = "recipe.json", "losses.jsonl"
CHECKPOINT = re.compile(r"\d{9}\.json")


class NoTraining(SluiceError):
    """A folder holds no training."""


class _Recipe(BaseModel):
    """Of a method, or of a part of the tabletop family, which has none."""

    method: str | None = None
    control: str | None = None
    base: str | None = None
    begin: str | None = None
    steps: int | None = None
    samples: int | None = None
    batch: int | None = Field(None, ge=1)


class _Data(BaseModel):
    uri: str
    digest: str


class _Origin(BaseModel):
    recipe: _Recipe | None = None
    steps: int | None = None
    identity: dict[str, str] = {}
    data: list[_Data] = []
    folder: str = "."
    checkpoints: str | None = None
    command: str | None = None


class _Note(BaseModel):
    training: dict[str, str] = {}
    sha256: str = ""


@dataclass(frozen=True)
class TrainingFolder:
    """One training: of a recipe, or of a part of the tabletop family."""

    path: Path

    @cached_property
    def recipe(self) -> Mapping[str, Any]:
        return _read(self.path / RECIPE, _Recipe)

    @cached_property
    def origin(self) -> Mapping[str, Any]:
        """What it was begun with, where it was noted."""
        return _read(self.path / ORIGIN, _Origin)

    @property
    def is_part(self) -> bool:
        return "method" not in self.recipe

    @property
    def held_folder(self) -> Path:
        """The folder that is held while it runs."""
        return self.path.parent.parent if self.is_part else self.path

    @property
    def held(self) -> bool:
        return is_held(self.held_folder)

    @property
    def finished(self) -> bool:
        return (self.path / "done").exists() if self.is_part else (self.path / "model" / CARD).exists()

    @property
    def steps(self) -> int | None:
        """How many it is to have; None where epochs of data that are not here say it."""
        recipe = self.recipe
        if told := self.origin.get("steps") or recipe.get("steps"):
            return int(told)
        samples, batch = recipe.get("samples"), recipe.get("batch")
        return max(1, round(samples / batch)) if samples and batch else None

    @cached_property
    def states(self) -> Storage:
        """Where its checkpoints are."""
        return storage(self.origin.get("checkpoints") or self.path / CHECKPOINTS)

    @property
    def checkpoints(self) -> list[int]:
        """The steps after which a state was kept, oldest first."""
        return sorted(int(entry.path[:9]) for entry in self.states.list() if CHECKPOINT.fullmatch(entry.path))

    def note(self, step: int) -> Mapping[str, Any]:
        """What is noted of the state after a step. Raises NoTraining where it is damaged."""
        name = f"{step:09}.json"
        return _parsed(self.states.read(name), f"{self.states.uri}/{name}", _Note, "delete it")

    @property
    def left_out(self) -> int:
        """How many records a training that diverged names."""
        file = self.path / "left-out.txt"
        return len(file.read_text().split()) if file.exists() else 0

    @property
    def identity(self) -> Mapping[str, str]:
        """What cannot change while it goes on, as it or its last checkpoint noted."""
        if "identity" in self.origin:
            return dict(self.origin["identity"])
        last = max(self.checkpoints, default=None)
        return dict(self.note(last).get("training", {})) if last else {}

    @property
    def data(self) -> list[str]:
        """The digests of its data: of a data set that Sluice built, its name and version."""
        return [told for name, told in self.identity.items() if name.startswith("data ")]

    @property
    def command(self) -> str:
        """What goes on with it."""
        if self.is_part:
            return f"sluice train tabletop --out {self.path.parent.parent}"
        command, folder = self.origin.get("command"), self.origin.get("folder")
        if not command:
            return f"the `sluice train` command with --out {self.path}, as it was given"
        return str(command) if folder == str(Path.cwd()) else f"cd {shlex.quote(str(folder))} && {command}"


def trainings(folder: Path) -> list[TrainingFolder]:
    """All in a folder and those below it. Raises NoTraining."""
    if not folder.is_dir():
        raise NoTraining(f"{folder} is no folder: name the --out of `sluice train`, or a folder of several")
    found = list(trainings_below(folder))
    if not found:
        raise NoTraining(f"{folder} holds no training (no {RECIPE}): name the --out of `sluice train`, or one above it")
    return found


def trainings_below(folder: Path) -> Iterator[TrainingFolder]:
    """All in a folder and those below it; none is in another one."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        if RECIPE in files:
            yield TrainingFolder(Path(place))
            folders.clear()


def _read(file: Path, shape: type[BaseModel]) -> Mapping[str, Any]:
    """A small file of ours, empty where it is not there. Raises NoTraining where it is damaged."""
    try:
        return _parsed(file.read_bytes(), str(file), shape, "the same training, given again, writes it anew")
    except FileNotFoundError:
        return {}


def _parsed(data: bytes, place: str, shape: type[BaseModel], remedy: str) -> Mapping[str, Any]:
    try:
        return read_shaped(shape, data)
    except ValueError as error:
        raise NoTraining(f"{place} is damaged ({error}); {remedy}") from error
