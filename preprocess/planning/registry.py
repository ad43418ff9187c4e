"""Sources and stages by name, ours and anyone's, through entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sluice.infra.entry_points import load
from sluice.infra.errors import SluiceError
from sluice.infra.settings import nearest
from sluice.preprocess.graph import Stage
from sluice.preprocess.sources import Source


class UnknownName(SluiceError):
    """No source, stage or setting has this name."""


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def source_kinds() -> list[str]:
    """The names of all sources."""
    return sorted(_found("sluice.sources"))


def source_class(kind: str) -> type[Source[Any]]:
    """The source of this kind. Raises UnknownName, BrokenPackage."""
    found = _found("sluice.sources")
    if kind not in found:
        raise UnknownName(f"no source is called '{kind}'; {nearest(kind, found)}")
    loaded: type[Source[Any]] = load(found[kind])
    return loaded


def stage_class(name: str) -> type[Stage[Any]]:
    """The stage of this name. Raises UnknownName, BrokenPackage."""
    found = _found("sluice.stages")
    if name not in found:
        raise UnknownName(f"stages.{name}: no stage is called '{name}'; {nearest(name, found)}")
    loaded: type[Stage[Any]] = load(found[name])
    return loaded
