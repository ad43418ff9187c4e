"""Stages resolved: each with its weights, or what stands in for them, or one error about all that are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sluice.infra.weights.models import Found, MissingWeights, find
from sluice.preprocess.graph import Node, Stage, Weights, build_graph


def resolve(stages: Sequence[Stage[Any]]) -> tuple[list[Node], list[str]]:
    """Stages with their weights; where these are absent, the fall-back, announced, or for an optional stage nothing.

    Returns the nodes and a line for each stage left out; raises MissingWeights, about all of them, for stages that have
    neither, and UnknownModel and DamagedWeights.
    """
    refuse_what_cannot_run(stages)
    kept: list[Stage[Any]] = []
    left_out: list[str] = []
    weights: dict[str, Weights] = {}
    for stage in stages:
        absent = missing_weights(stage)
        if not absent:
            weights[stage.name] = _weights(stage)
            kept.append(stage)
        elif stage.fallback is not None:
            instead = type(stage)(stage.parameters.model_copy(update={"model": stage.fallback}))
            weights[stage.name] = Weights(notes=(f"{_notice(absent)}: {stage.fallback} instead", *instead.marks()))
            kept.append(instead)
        else:
            left_out.append(f"{stage.name} is left out: {_notice(absent)}")
    return build_graph(kept, weights), left_out


def missing_weights(stage: Stage[Any]) -> list[str]:
    """The names of the weights that a stage needs and the cache lacks. Raises UnknownModel, DamagedWeights."""
    return [name for name in _names(stage) if _found(name) is None]


def cannot_run(stage: Stage[Any]) -> bool:
    """Whether a stage misses weights and has nothing in their place: no fall-back, and it is not optional."""
    return stage.fallback is None and not stage.optional and bool(missing_weights(stage))


def refuse_what_cannot_run(stages: Sequence[Stage[Any]]) -> None:
    """Raises MissingWeights, with one command for all the weights, where a stage cannot run without them."""
    stopped = {stage.name: missing_weights(stage) for stage in stages if cannot_run(stage)}
    if not stopped:
        return
    needed = [name for names in stopped.values() for name in names]
    others = sorted({name for stage in stages for name in missing_weights(stage)} - set(needed))
    also = f" Absent too, but these stages can do without: {', '.join(others)}." if others else ""
    raise MissingWeights(
        f"{', '.join(f'stages.{name} needs {_quoted(names)}' for name, names in stopped.items())}: these weights are "
        f"not in the cache, and nothing can stand in for them. Get them with `{_pull(needed)}`, without a network "
        "from a folder or s3://... with its `--from FOLDER`; or take these stages out of the configuration." + also
    )


def _names(stage: Stage[Any]) -> tuple[str, ...]:
    return () if stage.weights is None else (stage.weights, *stage.further_weights)


def _found(name: str) -> Found | None:
    try:
        return find(name)
    except MissingWeights:
        return None


def _weights(stage: Stage[Any]) -> Weights:
    if stage.weights is None:
        return Weights(notes=stage.marks())
    first, *further = (find(name) for name in _names(stage))
    digests = [found.digest for found in (first, *further)]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return Weights(digest, first.path, stage.marks())


def _notice(absent: Sequence[str]) -> str:
    return f"{_quoted(absent)} {'is' if len(absent) == 1 else 'are'} not here (`{_pull(absent)}`)"


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _pull(names: Sequence[str]) -> str:
    return f"sluice models pull {' '.join(dict.fromkeys(names))}"
