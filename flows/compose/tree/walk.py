"""A job's tree, walked: every value with its place, and the models in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluice.flows.compose.tree.job import Amdm, Guided, Whole
from sluice.flows.compose.tree.misfit import Place
from sluice.flows.compose.tree.models import Model
from sluice.flows.compose.tree.nodes import Node, OfRecord, OfScene


def walk(node: Node, place: Place = ()) -> Iterator[tuple[Place, Any, Node]]:
    """Every setting of a node and of those in it, items of lists each for itself, with the node whose it is."""
    for name in type(node).model_fields:
        value = getattr(node, name)
        items = enumerate(value) if isinstance(value, tuple) else ((None, value),)
        for number, own in items:
            at: Place = (*place, name) if number is None else (*place, name, number)
            yield at, own, node
            if isinstance(own, Node) and not isinstance(own, OfScene | OfRecord):
                yield from walk(own, at)


def models_of(node: Whole) -> list[Model]:
    """All of a tree, first the one that a picture is sampled along."""
    if isinstance(node, Amdm):
        return [model for own in node.of for model in models_of(own)]
    return [node.of.model] if isinstance(node.of, Guided) else [own.model for own in node.of.models]
