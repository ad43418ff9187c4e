"""The DAG of stages: what a stage is, what depends on what, and what each output depends on (fingerprints)."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sluice.infra.errors import SluiceError
from sluice.preprocess.record import Record


class GraphError(SluiceError):
    """The stages do not form a DAG: a field that nobody writes, or that two write, or a circle."""


UNFIT = "unfit for training"
"""The mark of a fall-back's output that a network would learn wrong things from."""


@dataclass(frozen=True)
class Resources:
    """What one actor of a stage holds: CPU cores (also its threads), GPUs (fractions allowed), GPU memory in GB."""

    cpus: int = 1
    gpus: float = 0.0
    gpu_memory_gb: float = 0.0
    accelerator: str | None = None


class Parameters(BaseModel):
    """A stage's parameters: frozen, unknown names refused. Fields in `execution` do not change what is computed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    execution: ClassVar[frozenset[str]] = frozenset({"cpus", "gpus", "gpu_memory_gb", "accelerator"})
    cpus: int = Field(1, ge=1)
    gpus: float = Field(0.0, ge=0)
    gpu_memory_gb: float = Field(0.0, ge=0)
    accelerator: str | None = None

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, gpus: float) -> float:
        if gpus > 1 and gpus % 1:
            raise ValueError("a part of one GPU, or several whole ones")
        return gpus

    def knobs(self) -> dict[str, Any]:
        """The non-default parameters that change what is computed."""
        dumped: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return {k: v for k, v in dumped.items() if k not in self.execution}


class LearnedParameters(Parameters):
    """Parameters of a stage that runs a model: its name in the catalogue (or a folder), batch and precision.

    `auto` precision is fp16 on a GPU and fp32 on a CPU. Batches are padded to `batch_size`, so that neither the number
    of workers nor a neighbour changes a record's bytes.
    """

    model: str
    batch_size: int = Field(1, ge=1)
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"


P = TypeVar("P", bound=Parameters)


class Stage(ABC, Generic[P]):
    """A step that adds fields to records.

    A subclass names itself, its `version` (raised whenever its bytes change for equal parameters), the fields it reads
    and writes (set in `__init__` where they depend on parameters). A stage that runs a model has a `model` parameter;
    names in `classical` need no weights, and `fallback` is the classical one that takes over, announced, where weights
    cannot be had; an `optional` stage without a fall-back is then left out, announced too. `slow` stages (seconds an
    image) commit every 32 records.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    slow: ClassVar[bool] = False
    classical: ClassVar[frozenset[str]] = frozenset()
    fallback: ClassVar[str | None] = None
    optional: ClassVar[bool] = False
    parameters_type: ClassVar[type[Parameters]] = Parameters
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def __init__(self, parameters: P) -> None:
        self.parameters = parameters

    @property
    def model(self) -> str | None:
        """The model's name, or None for a stage that has none."""
        return getattr(self.parameters, "model", None)

    @property
    def weights(self) -> str | None:
        """The catalogue name (or folder) of the weights it needs, None where it needs none."""
        return None if self.model in self.classical else self.model

    @property
    def further_weights(self) -> tuple[str, ...]:
        """Other weights that it finds by name when it opens, such as the detector before a pose network."""
        return ()

    @property
    def takes_batches(self) -> bool:
        """Whether its model sees several images at once; `batch_size` is nothing to one that takes them singly."""
        return True

    @property
    def batch_size(self) -> int:
        return int(getattr(self.parameters, "batch_size", 1))

    @property
    def resources(self) -> Resources:
        p = self.parameters
        return Resources(p.cpus, p.gpus, p.gpu_memory_gb, p.accelerator)

    def marks(self) -> tuple[str, ...]:
        """What a reader of the data set must know of this output, such as UNFIT."""
        return ()

    def open(self, weights: Path | None) -> None:
        """Load the model, once, in the process that runs the stage; `weights` is a file or folder, or None."""

    @abstractmethod
    def __call__(self, records: Sequence[Record]) -> None:
        """Set every field of `writes` on each of at most `batch_size` records, or `record.reject` it.

        If it raises, the records are tried one by one, and those that fail are quarantined with the error's text.
        """


@dataclass(frozen=True)
class Node:
    """A stage in its place: the stages it reads from and the fingerprint of its output."""

    stage: Stage[Any]
    parents: tuple[str, ...]
    fingerprint: str
    weights_digest: str | None = None
    weights_path: Path | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.stage.name


def _writers(stages: Sequence[Stage[Any]]) -> dict[str, str]:
    writers: dict[str, str] = {}
    for stage in stages:
        for name in stage.writes:
            if name in writers:
                raise GraphError(f"stages '{writers[name]}' and '{stage.name}' both write the field '{name}'")
            writers[name] = stage.name
    return writers


def _parents(stage: Stage[Any], writers: Mapping[str, str]) -> tuple[str, ...]:
    parents = set()
    for name in stage.reads:
        if name.startswith("raw"):
            continue
        if name not in writers:
            raise GraphError(
                f"stage '{stage.name}' reads the field '{name}', which no stage of this configuration writes; "
                f"add the stage that writes it, or leave '{stage.name}' out"
            )
        parents.add(writers[name])
    return tuple(sorted(parents))


def order(stages: Sequence[Stage[Any]]) -> list[tuple[Stage[Any], tuple[str, ...]]]:
    """The stages with their parents, parents first, by name where the order is free.

    Raises GraphError for a field without a writer or with two, and for a circle.
    """
    writers = _writers(stages)
    waiting = {stage.name: (stage, _parents(stage, writers)) for stage in stages}
    done: dict[str, tuple[Stage[Any], tuple[str, ...]]] = {}
    while waiting:
        ready = sorted(name for name, (_, parents) in waiting.items() if all(p in done for p in parents))
        if not ready:
            raise GraphError(f"these stages read from each other in a circle: {', '.join(sorted(waiting))}")
        for name in ready:
            done[name] = waiting.pop(name)
    return list(done.values())


def fingerprint(stage: Stage[Any], weights_digest: str | None, parents: Mapping[str, str]) -> str:
    """SHA-256 (16 hex digits) of name, version, non-default parameters, weights, and the parents' fingerprints."""
    identity = {
        "name": stage.name,
        "version": stage.version,
        "knobs": stage.parameters.knobs(),
        "weights": weights_digest,
        "parents": dict(sorted(parents.items())),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Weights:
    """A stage's weights as the driver resolved them: digest and local path, and what the user should know."""

    digest: str | None = None
    path: Path | None = None
    notes: tuple[str, ...] = ()


def build_graph(stages: Sequence[Stage[Any]], weights: Mapping[str, Weights]) -> list[Node]:
    """The stages as nodes in running order, each with the fingerprint of its output."""
    nodes: dict[str, Node] = {}
    for stage, parents in order(stages):
        found = weights.get(stage.name, Weights())
        mark = fingerprint(stage, found.digest, {p: nodes[p].fingerprint for p in parents})
        nodes[stage.name] = Node(stage, parents, mark, found.digest, found.path, found.notes)
    return list(nodes.values())
