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

CLAIM = "training.json"
"""What a place's states are of, before there is one."""
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
        notes = (self._note(step) for step in sorted(self._steps(), reverse=True))
        for note in filter(None, notes):
            require_same(self.storage.uri, note["training"], self.training)
            break

    def claim(self) -> None:
        """Put what this training is: a place that takes nothing is found before its first step."""
        self.storage.write(CLAIM, json.dumps({"training": dict(self.training)}).encode())

    def last_step(self) -> int | None:
        """After which the newest state was kept, None where there is none."""
        return max(self._steps(), default=None)

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

    def _note(self, step: int) -> dict[str, Any] | None:
        """What is said of a state, None where that is damaged."""
        try:
            note = json.loads(self.storage.read(f"{step:09}.json"))
        except (MissingFile, ValueError):
            return None
        if not isinstance(note, dict) or not isinstance(note.get("sha256"), str):
            return None
        return note if note.get("training") and isinstance(note["training"], dict) else None

    def _read(self, step: int) -> dict[str, Any] | None:
        note = self._note(step)
        if note is None:
            return None
        try:
            data = self.storage.read(f"{step:09}.pt")
        except MissingFile:
            return None
        if hashlib.sha256(data).hexdigest() != note["sha256"]:
            return None
        require_same(self.storage.uri, note["training"], self.training)
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return state


def require_same(place: str, began: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises OtherTraining where what was begun in a place is another training."""
    other = [
        f"{name}: {began.get(name)} then, {now.get(name)} now"
        for name in sorted({*began, *now})
        if began.get(name) != now.get(name)
    ]
    if other:
        before = [began[name].replace(" ", "/") for name in sorted(began) if _is_other_version(name, began, now)]
        told = " ".join(f"--data OUT/datasets/{version}" for version in before)
        goes_on = f"It goes on with the versions that it began with: {told}. " if len(before) == len(other) else ""
        raise OtherTraining(
            f"{place} holds another training ({'; '.join(other)}). {goes_on}Give this one an --out of its own, or "
            "remove that folder to begin anew."
        )


def _is_other_version(name: str, began: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether data are another version of the same data set."""
    (before, _, then), (today, _, version) = began[name].rpartition(" "), now.get(name, "").rpartition(" ")
    return name.startswith("data ") and before == today and "/" not in before and then != version
