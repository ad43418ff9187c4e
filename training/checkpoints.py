"""Checkpoints: whole states in a storage, each believed for its digest alone; the last few are kept.

`<step>.pt` is put first, then `<step>.json` with its SHA-256: a crash can leave a state that nobody names, never a name
without its state.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, Storage

Report = Callable[[str], None]


class OtherTraining(SluiceError):
    """What is to be resumed was begun as another training."""


@dataclass(frozen=True)
class Checkpoints:
    """Of one training, which `training` names: what cannot change while it goes on, such as recipe and data."""

    storage: Storage
    training: Mapping[str, str]
    keep: int = 3

    def write(self, step: int, state: Mapping[str, Any]) -> None:
        """Put the state after a step, and take away those older than the last few."""
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        data = buffer.getvalue()
        self.storage.write(f"{step:09}.pt", data)
        note = {"step": step, "sha256": hashlib.sha256(data).hexdigest(), "training": dict(self.training)}
        self.storage.write(f"{step:09}.json", json.dumps(note).encode())
        old = [f"{found:09}" for found in sorted(self._steps())[: -self.keep]]
        self.storage.delete([f"{name}.json" for name in old])
        self.storage.delete([f"{name}.pt" for name in old])

    def require_own(self) -> None:
        """Raises OtherTraining where the newest state is another training's."""
        for step in sorted(self._steps(), reverse=True):
            try:
                note = json.loads(self.storage.read(f"{step:09}.json"))
            except (MissingFile, ValueError):
                continue
            self._check(note["training"])
            break

    def newest(self, report: Report) -> dict[str, Any] | None:
        """The newest whole state, None where there is none; `report` is told of damaged ones that are passed over.

        Raises OtherTraining where it is another training's.
        """
        for step in sorted(self._steps(), reverse=True):
            found = self._read(step)
            if found is not None:
                return found
            report(f"the checkpoint after step {step} in {self.storage.uri} is damaged: the one before it is taken")
        return None

    def _steps(self) -> Iterator[int]:
        for entry in self.storage.list():
            name, _, suffix = entry.path.partition(".")
            if suffix == "json" and name.isdigit():
                yield int(name)

    def _read(self, step: int) -> dict[str, Any] | None:
        try:
            note = json.loads(self.storage.read(f"{step:09}.json"))
            data = self.storage.read(f"{step:09}.pt")
        except (MissingFile, ValueError):
            return None
        if hashlib.sha256(data).hexdigest() != note.get("sha256"):
            return None
        self._check(note["training"])
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return state

    def _check(self, began: Mapping[str, str]) -> None:
        other = [
            f"{name}: {began.get(name)} then, {self.training.get(name)} now"
            for name in sorted({*began, *self.training})
            if began.get(name) != self.training.get(name)
        ]
        if other:
            raise OtherTraining(
                f"{self.storage.uri} holds another training ({'; '.join(other)}). Give this one an --out of its own, "
                "or remove that folder to begin anew."
            )
