"""Stages of one's own, as a user would install them: found through entry points, named in a configuration."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.record import Record


class Brightness(Stage[Parameters]):
    """The mean of the image."""

    name = "brightness"
    reads = ("jpg",)
    writes = ("brightness.json",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            record["brightness.json"] = float(record["jpg"].mean())


class Poison(Stage[Parameters]):
    """Dies, like a library with a defect in its C code, of an image whose caption says so."""

    name = "poison"
    reads = ("txt",)
    writes = ("poison.json",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            if record["txt"] == "poison":
                os.kill(os.getpid(), signal.SIGKILL)
            record["poison.json"] = {}


class PatientParameters(Parameters):
    """`seconds` an image; every image run appends its key to the file `journal`."""

    execution = Parameters.execution | {"seconds", "journal"}
    seconds: float = 0.05
    journal: str = ""


class Patient(Stage[PatientParameters]):
    """As slow as a large network, and counts what it runs."""

    name = "patient"
    parameters_type = PatientParameters
    slow = True
    reads = ("jpg",)
    writes = ("patient.json",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            time.sleep(self.parameters.seconds)
            if self.parameters.journal:
                with Path(self.parameters.journal).open("a") as journal:
                    journal.write(record.key + "\n")
            record["patient.json"] = {"mean": float(record["jpg"].mean())}


class MoodyParameters(Parameters):
    """While the file `flag` exists, images whose key ends in one of `digits` fail; keys run go to the `journal`."""

    execution = Parameters.execution | {"flag", "journal"}
    digits: str = "012"
    flag: str = ""
    journal: str = ""


class Moody(Stage[MoodyParameters]):
    """Fails for a while, as a full GPU or a lost mount would make a stage fail."""

    name = "moody"
    parameters_type = MoodyParameters
    reads = ("jpg",)
    writes = ("moody.json",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            with Path(self.parameters.journal).open("a") as journal:
                journal.write(record.key + "\n")
            if record.key[-1] in self.parameters.digits and Path(self.parameters.flag).exists():
                raise OSError("the device is out of memory")
            record["moody.json"] = {"mean": float(record["jpg"].mean())}


class Echo(Stage[Parameters]):
    """Depends on the moody one."""

    name = "echo"
    reads = ("moody.json",)
    writes = ("echo.json",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            record["echo.json"] = record["moody.json"]
