"""A job's tree in words: each node by its kind, its settings, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.nodes import Node, OfRecord, OfScene
from sluice.infra.page.blocks import Tree

FOR_ALL = ("prompts", "seeds", "safety", "kind")
"""Settings that are told elsewhere."""
UNSAID = {"silent_from": -1}
"""Values that say nothing."""


def tree_of(job: Job) -> Tree:
    """A job's picture, for a page."""
    return _tree(job.picture, "")


def _tree(node: Node, name: str) -> Tree:
    kind = getattr(node, "kind", "")
    settings = [f"{setting} {_said(value)}" for setting, value in _settings(node) if not _nodes(value)]
    head = " ".join(part for part in (name, f"`{kind}`" if kind else "") if part)
    about = (type(node).__doc__ or "").partition("\n")[0].removesuffix(".") if kind else ""
    return Tree(": ".join([head, *([", ".join(settings)] if settings else [])]), about, tuple(_branches(node)))


def _branches(node: Node) -> Iterator[Tree]:
    for setting, value in _settings(node):
        own = _nodes(value)
        for number, branch in enumerate(own, 1):
            yield _tree(branch, f"{setting} {number}" if len(own) > 1 else setting)


def _settings(node: Node) -> list[tuple[str, Any]]:
    """Those that say something."""
    told = [(name, getattr(node, name)) for name in type(node).model_fields if name not in FOR_ALL]
    return [(name, value) for name, value in told if value is not None and value != UNSAID.get(name)]


def _nodes(value: Any) -> tuple[Node, ...]:
    """What of a setting's value nests: nodes, but not images."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(own for own in values if isinstance(own, Node) and not isinstance(own, OfScene | OfRecord))


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_said(own) for own in value)})"
    if isinstance(value, Path):
        return f"`{value}`"
    return f"`{value}`" if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
