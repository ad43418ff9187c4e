"""A source of one's own and a stage on a full disk, found through entry points as an installed package's are."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.record import Record
from sluice.preprocess.sources import Address, Item, Raw, Source, SourceConfig


class ColoursConfig(SourceConfig):
    """So many pictures, each of one colour; while the file `locked` exists, those after the first are unreadable."""

    images: int = 5
    locked: str = ""


class Colours(Source[ColoursConfig]):
    """Pictures that lie nowhere: a number is enough to make one."""

    kind = "colours"
    config_type = ColoursConfig

    def items(self) -> Iterator[Item]:
        for number in range(self.config.images):
            yield Item(f"colour-{number}", 0, "1")

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        return self.read([Address(item.uri, item.uri) for item in items], ("raw", "raw.json"))

    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:  # noqa: ARG002
        for address in addresses:
            number = int(address.uri.removeprefix("colour-"))
            if number and self.config.locked and Path(self.config.locked).exists():
                yield Raw(address, error="the paint box is locked")
                continue
            _, png = cv2.imencode(".png", np.full((40, 40, 3), 50 * number, np.uint8))
            about = {"captions": [f"colour {number}"], "origin": {"source": self.kind}}
            yield Raw(address, {"raw": png.tobytes(), "raw.json": json.dumps(about).encode()})


class Deadly(Colours):
    """Reading one of its pictures for the index is the end of who does, like a defect in a decoder's C code."""

    kind = "deadly"
    decodes = True

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        for item in items:
            if item.error:
                yield Raw(Address(item.uri, item.uri), error=item.error)
                continue
            if item.uri == "colour-2":
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().scan([item])


class CrampedParameters(Parameters):
    """`kilobytes`: the largest file that its worker may write."""

    kilobytes: int


class Cramped(Stage[CrampedParameters]):
    """Works where there is no space: its own worker may write only small files."""

    name = "cramped"
    parameters_type = CrampedParameters
    reads = ("jpg",)
    writes = ("cramped.npy",)

    def open(self, weights: Path | None) -> None:  # noqa: ARG002
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.parameters.kilobytes << 10, hard))

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            record["cramped.npy"] = record["jpg"]
