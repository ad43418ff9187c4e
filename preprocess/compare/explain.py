"""Why two versions differ, as their manifests tell it: which knob of which stage, which setting of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.preprocess.graph import Parameters


@dataclass(frozen=True)
class Knob:
    """A setting that was changed; None where a version did not have it."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name} {self.before} -> {self.after}"


@dataclass(frozen=True)
class StageChange:
    """A stage whose fingerprint (None: the version has no such stage) changed: by its own knobs, or through others."""

    stage: str
    before: str | None
    after: str | None
    knobs: tuple[Knob, ...] = ()
    through: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.stage}: {'new' if self.before is None else 'no longer run'}"
        causes = [*map(str, self.knobs), *(f"through {stage}" for stage in self.through)]
        return f"{self.stage}: {', '.join(causes) or 'its fingerprint alone tells that it changed'}"


def stage_changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[StageChange]:
    """The stages whose fingerprints differ between two manifests, in running order, those that are gone last."""
    before, after = ({stage["name"]: stage for stage in manifest["stages"]} for manifest in (a, b))
    changes = []
    for name in [*after, *(n for n in before if n not in after)]:
        old, new = before.get(name), after.get(name)
        marks = _mark(before, name), _mark(after, name)
        if old is None or new is None:
            changes.append(StageChange(name, *marks))
        elif marks[0] != marks[1]:
            parents = sorted({*old["parents"], *new["parents"]})
            through = tuple(p for p in parents if _mark(before, p) != _mark(after, p))
            changes.append(StageChange(name, *marks, knobs=tuple(_knobs(old, new)), through=through))
    return changes


def _mark(stages: Mapping[str, Mapping[str, Any]], name: str) -> str | None:
    return stages[name]["fingerprint"] if name in stages else None


def _knobs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Knob]:
    if old["version"] != new["version"]:
        yield Knob("version", old["version"], new["version"])
    for knob in differences(old["parameters"], new["parameters"]):
        if knob.name not in Parameters.execution:
            yield knob
    for name in ("weights", "reads", "writes"):
        if old[name] != new[name]:
            yield Knob(name, old[name], new[name])


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Knob]:
    """The settings that differ, by name."""
    names = sorted(before.keys() | after.keys())
    return [Knob(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)]
