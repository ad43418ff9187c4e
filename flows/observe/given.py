"""The command of a run as it was given, noted in its outputs: what `status` says to give again."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel

from sluice.flows.observe.ending import forget, logged
from sluice.infra.code import CODE
from sluice.infra.shape import read_shaped
from sluice.infra.storage import MissingFile, Storage

BUILD = ["dataset", "build"]
RETRY = "--retry"
WATCHING = ("--log", "--metrics")
"""Options of `sluice` itself that have a value."""


class _Given(BaseModel):
    command: str
    folder: str


@dataclass(frozen=True)
class Given:
    """A command, and the folder that its paths are meant from."""

    command: str
    folder: str

    @property
    def again(self) -> str:
        """As it is typed here."""
        return self.command if self.folder == str(Path.cwd()) else f"cd {shlex.quote(self.folder)} && {self.command}"


def own_words() -> list[str]:
    """The command of this process, from its name on: how it is watched, and --debug, are not of it."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in WATCHING else 1 :]
    return words


def command_of(dataset: str) -> str:
    """Where the command of a data set's last build lies, in its storage."""
    return f"datasets/{dataset}/run/command.json"


def note_command(place: Storage, path: str) -> None:
    """Note the command of this process where it is a build; else forget the one before.

    A job's is of a folder that nobody else has, and a retry alone goes on with nothing. What goes wrong is logged.
    """
    words = own_words()
    if words[:2] != BUILD or CODE in os.environ:
        forget(place, path)
    elif RETRY not in words:
        given = Given(shlex.join(["sluice", *words]), str(Path.cwd()))
        with logged(path):
            place.write(path, json.dumps(asdict(given)).encode())


def given_in(place: Storage, path: str) -> Given | None:
    """What was noted, if it was."""
    try:
        said = read_shaped(_Given, place.read(path))
    except (MissingFile, ValueError):
        return None
    return Given(said["command"], said["folder"])
