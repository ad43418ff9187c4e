"""What lies in a run's folder of the pictures that were asked for, as far as a page shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.run.watched import FOLDER
from sluice.flows.compose.run.work import QUARANTINE
from sluice.infra.errors import SluiceError
from sluice.infra.storage import Storage
from sluice.preprocess.record import Array, FieldError, decode_png

READERS = 16


class DamagedPicture(SluiceError):
    """A picture that was made, or its record, is not what was written."""

    exit_code = 1


@dataclass(frozen=True)
class Found:
    """A picture with its record, or the record alone, with a reason; and what was noted while it was made."""

    asked: Asked
    record: dict[str, Any]
    pixels: Array | None = None
    notes: dict[str, Any] | None = None

    @property
    def file(self) -> str:
        """Its name beside the page."""
        return f"{self.asked.name}.png" if self.pixels is not None else f"{QUARANTINE}/{self.asked.name}.json"

    @property
    def reason(self) -> str:
        """Why there is no picture."""
        return str(self.record.get("reason", ""))


def find_all(out: Storage, asked: Sequence[Asked], there: set[str]) -> list[Found]:
    """Of those that have a record among the files that are `there`."""
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(partial(_find, out, there), asked)
        return [own for own in found if own is not None]


def _find(out: Storage, there: set[str], asked: Asked) -> Found | None:
    try:
        return _read(out, there, asked)
    except (FieldError, ValueError) as error:
        raise DamagedPicture(
            f"{out.uri}/{asked.name}.png or a .json of this name is damaged ({error}): delete the .png, and the same "
            "command makes it again"
        ) from error


def _read(out: Storage, there: set[str], asked: Asked) -> Found | None:
    refused, record, notes = (f"{place}{asked.name}.json" for place in (f"{QUARANTINE}/", "", f"{FOLDER}/"))
    if record not in there:
        return Found(asked, json.loads(out.read(refused))) if refused in there else None
    noted = json.loads(out.read(notes)) if notes in there else None
    return Found(asked, json.loads(out.read(record)), decode_png(out.read(f"{asked.name}.png")), noted)
