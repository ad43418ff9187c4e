"""Which networks were trained on versions of data sets, by their cards and the notes beside their checkpoints."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sluice.flows.operate.trainings import trainings_below
from sluice.flows.training.card import CARD, SNAPSHOTS
from sluice.infra.settings import ConfigError

DATA = re.compile(r"^\| data \d+ \| (.+) \|$", re.MULTILINE)
NOTES = "checkpoints/*.json"
OURS = "Trained by `sluice train`"


@dataclass(frozen=True)
class Trained:
    """A network or a training's checkpoints, and what it says that it was trained on: `NAME VERSION`, or merged shards
    as `URI DIGEST`."""

    path: str
    data: tuple[str, ...]


@dataclass(frozen=True)
class Holders:
    """A data set that has or had removed records: its versions that are there, of these the ones `holding` them, or
    which did before a withdrawal, and of these the ones that do `still`; by their ids."""

    dataset: str
    versions: Sequence[str]
    holding: Sequence[str]
    still: Sequence[str]


def find_trained(folders: Iterable[Path]) -> Iterator[Trained]:
    """Every network, and every folder of checkpoints or snapshots, under these.

    Raises ConfigError where there is no such folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"--trained {folder}: there is no such folder; name one that holds what `train` wrote")
        # `rglob` would fail where a training that goes on deletes a folder.
        files = sorted(Path(at, name) for at, _, names in os.walk(folder) for name in names)
        for card in (file for file in files if file.name == CARD):
            text = card.read_text(errors="replace")
            if OURS in text:
                yield Trained(str(card.parent), tuple(DATA.findall(text)))
        for checkpoints, notes in groupby((file for file in files if file.match(NOTES)), key=lambda file: file.parent):
            data = {said for note in notes for said in _noted(note)}
            if data:
                yield Trained(str(checkpoints), tuple(sorted(data)))
        for training in trainings_below(folder):
            if (training.path / SNAPSHOTS).is_dir():
                yield Trained(str(training.path / SNAPSHOTS), tuple(sorted(training.data)))
            if training.origin.get("checkpoints") and training.checkpoints:  # kept elsewhere
                yield Trained(training.states.uri, tuple(sorted(training.data)))


def _noted(note: Path) -> list[str]:
    try:
        training = json.loads(note.read_text())["training"]
        return [str(said) for name, said in training.items() if name.startswith("data ")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def told_of(trained: Iterable[Trained], holders: Iterable[Holders]) -> Iterator[str]:
    """A line for each network that was trained on a version that held removed records, or on what cannot be told.

    That is a version that is not there any more, and merged shards, whose versions nobody knows.
    """
    named = {each.dataset: each for each in holders}
    for own in trained:
        for said in own.data:
            name, _, version = said.rpartition(" ")
            if name in named and version in named[name].holding:
                yield f"{own.path} was trained on {said}, which held them"
            elif name in named and version not in named[name].versions:
                yield f"{own.path} was trained on {said}, a version that is gone: it may have held them"
            elif "/" in name:
                yield f"{own.path} was trained on merged shards in {name}: they may have held them"
