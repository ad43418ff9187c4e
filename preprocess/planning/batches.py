"""A proposal for a stage's batch size: measured memory of one image and of several, against the memory at hand."""

from __future__ import annotations

import copy
import multiprocessing
import resource
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.infra.errors import SluiceError
from sluice.preprocess.graph import LearnedParameters, Node
from sluice.preprocess.record import Array, Record, field_named

SEVERAL = 3
SHARE = 0.8
LARGEST = 128
GB = 1e9


class CannotMeasure(SluiceError):
    """The stage did not run on a made record."""


@dataclass(frozen=True)
class Proposal:
    """A batch size for a stage, and why: gigabytes of the process or GPU with one image, of each further, at hand."""

    stage: str
    now: int
    batch_size: int
    one_gb: float
    further_gb: float
    at_hand_gb: float

    def __str__(self) -> str:
        return (
            f"{self.stage}: batch_size {self.batch_size} (now {self.now}): {self.one_gb:.2f} GB with one image, "
            f"{self.further_gb:.3f} GB each further, {self.at_hand_gb:.1f} GB at hand"
        )


def largest_batch(one_gb: float, further_gb: float, at_hand_gb: float) -> int:
    """How many images fit into 80% of the memory at hand, 1 to 128."""
    room = SHARE * at_hand_gb - one_gb
    if further_gb <= 0:
        return LARGEST
    return int(min(max(1 + room // further_gb, 1), LARGEST))


def has_batches(node: Node) -> bool:
    """Whether a stage runs a network that takes several images at once."""
    stage = node.stage
    return isinstance(stage.parameters, LearnedParameters) and stage.weights is not None and stage.takes_batches


def propose(node: Node, side: int, workers: int) -> Proposal:
    """Measure a stage that has batches in processes of its own, on made images of `side` pixels.

    Raises CannotMeasure.
    """
    parameters = node.stage.parameters
    one, several = (_peak_gb(node, side, count) for count in (1, SEVERAL))
    further = max(several - one, 0) / (SEVERAL - 1)
    at_hand = _gpu_gb() * min(parameters.gpus, 1) if parameters.gpus else _free_gb() / workers
    size = largest_batch(one, further, at_hand)
    return Proposal(node.name, parameters.batch_size, size, one, further, at_hand)


def _peak_gb(node: Node, side: int, count: int) -> float:
    """The peak of a fresh process that opens the stage and runs one batch of `count`."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(node, side, count, sender), daemon=True)
    process.start()
    sender.close()
    try:
        peak: float = receiver.recv()
    except EOFError as error:
        raise CannotMeasure(f"stage '{node.name}' did not run on a batch of {count} made images; see above") from error
    finally:
        process.join()
    return peak


def _run(node: Node, side: int, count: int, sender: Any) -> None:
    stage = copy.copy(node.stage)
    stage.parameters = stage.parameters.model_copy(update={"batch_size": count})
    stage.open(node.weights_path)
    stage([_made_record(i, side, stage.reads) for i in range(count)])
    if stage.parameters.gpus:
        import torch

        sender.send(torch.cuda.max_memory_allocated() / GB)
    else:
        sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB)


def _made_record(number: int, side: int, reads: tuple[str, ...]) -> Record:
    """A record of noise with an object in its middle."""
    record = Record(f"{number:016x}")
    noise = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for name in reads:
        record[name] = _made_value(name, noise)
    return record


def _made_value(name: str, noise: Array) -> Any:
    field = field_named(name)
    if field.shape == "none":
        return {} if name.endswith("json") else "a picture"
    if field.channels == 3:
        return noise
    quarter = len(noise) // 4
    mask = np.zeros(noise.shape[:2], field.dtype)
    mask[quarter:-quarter, quarter:-quarter] = np.iinfo(field.dtype).max
    return mask


def _free_gb() -> float:
    import psutil

    return float(psutil.virtual_memory().available) / GB


def _gpu_gb() -> float:
    import torch

    return float(torch.cuda.get_device_properties(0).total_memory) / GB
