"""What actors, and this process, do of a run: make batches, and write pictures and what is to be known of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sluice.flows.compose.run.batches import Batch
from sluice.flows.compose.run.making import Made, Maker
from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.run.watched import FOLDER
from sluice.infra.storage import Storage
from sluice.preprocess.record import encode_png

QUARANTINE = "quarantine"
THREADS = 1
"""Of a processor: with another number of them sums have other bits."""
DEADLY = "its worker died of it twice"


@dataclass(frozen=True)
class Report:
    """What is to be said of a batch: how many are done, which texts were cut, and by picture what was left out.

    `withheld` is how many went to quarantine, `size` how many at once fitted into memory, where it is not as many as
    the job asks for.
    """

    done: int = 0
    cut: tuple[str, ...] = ()
    left_out: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    size: int | None = None
    withheld: int = 0


@dataclass(frozen=True)
class ComposeWork:
    """The pictures of jobs whose images lie in `folder`, to `out`."""

    folder: Path
    out: Storage

    def open(self, kind: str) -> Callable[[Batch], Report]:  # noqa: ARG002 - there is one
        return partial(self.run, Maker(self.folder, "cuda" if torch.cuda.is_available() else "cpu"))

    def halve(self, batch: Batch) -> tuple[Batch, Batch, Batch] | None:
        """A batch that kills its worker, in two, for which half the memory is enough; and itself, to find both done."""
        half = len(batch.asked) // 2
        if not half:
            return None
        size = (batch.size + 1) // 2
        first, second = (replace(batch, asked=own, size=size) for own in (batch.asked[:half], batch.asked[half:]))
        return first, second, batch

    def mark(self, batch: Batch) -> Batch:
        """The picture that kills its worker."""
        return replace(batch, deadly=True)

    def run(self, maker: Maker, batch: Batch) -> Report:
        """Make those that are not there: halves, and what went before a worker's death, have made some."""
        torch.set_num_threads(THREADS)
        if batch.deadly:
            self._quarantine(batch.asked[0], batch.asked[0].record, DEADLY)
            return Report(1, withheld=1)
        left = tuple(own for own in batch.asked if not self._is_done(own))
        made = self.make(maker, replace(batch, asked=left)) if left else []
        for own in made:
            self._write(own)
        return _report(batch, made)

    def make(self, maker: Maker, batch: Batch) -> list[Made]:
        """The pictures of a batch."""
        return maker(batch)

    def _is_done(self, asked: Asked) -> bool:
        if self.out.head(f"{QUARANTINE}/{asked.name}.json") is not None:
            return True
        found = map(self.out.head, made_files(asked))
        return all(file is not None and file.size > 0 for file in found)

    def _write(self, made: Made) -> None:
        """The picture, then its record: what has one is whole."""
        if made.refused is not None:
            self._quarantine(made.asked, made.record, made.refused)
            return
        if made.watched is not None:
            self.out.write(f"{FOLDER}/{made.asked.name}.json", json.dumps(made.watched).encode())
        self.out.write(f"{made.asked.name}.png", encode_png(made.pixels))
        self.out.write(f"{made.asked.name}.json", json.dumps(made.record, indent=1).encode())

    def _quarantine(self, asked: Asked, record: dict[str, Any], reason: str) -> None:
        told = json.dumps({**record, "reason": reason}, indent=1)
        self.out.write(f"{QUARANTINE}/{asked.name}.json", told.encode())


def made_files(asked: Asked) -> tuple[str, str]:
    """What is there, and not empty, of a picture that is made: it and its record."""
    return f"{asked.name}.png", f"{asked.name}.json"


def quarantined(there: Iterable[str], asked: Sequence[Asked]) -> dict[str, str]:
    """The pictures' paths in quarantine, by name."""
    paths = {own.name: f"{QUARANTINE}/{own.name}.json" for own in asked}
    known = set(there)
    return {name: path for name, path in paths.items() if path in known}


def _report(batch: Batch, made: Sequence[Made]) -> Report:
    sizes = [own.noted["batch"] for own in made if "batch" in own.noted]
    return Report(
        len(batch.asked),
        tuple(dict.fromkeys(text for own in made for text in own.noted.get("cut", ()))),
        {own.asked.name: own.noted["left_out"] for own in made if own.noted["left_out"]},
        min(sizes, default=None),
        sum(own.refused is not None for own in made),
    )
