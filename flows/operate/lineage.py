"""`sluice lineage`: from a picture, a network, a checkpoint, a version or a record back to what it was made of."""

from __future__ import annotations

from pathlib import Path

from sluice.flows.operate.of_network import of_training, of_weights, training_of
from sluice.flows.operate.of_record import of_record
from sluice.flows.operate.of_version import built, of_version
from sluice.flows.operate.told import NoLineage, Told
from sluice.flows.operate.trainings import RECIPE
from sluice.flows.training.card import CHECKPOINTS
from sluice.flows.training.data import BUILT
from sluice.infra.storage import storage
from sluice.infra.weights.catalogue import catalogue

PICTURE = (".png", ".json")
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".onnx")
CONFIGS = ("model_index.json", "config.json")
"""By which a folder is a pipeline or a network."""


def lineage(artifact: str, of: str | None = None) -> Told:
    """Of an artifact, or with `of` of the record whose key it is. Raises NoLineage, UnknownVersion, StorageError."""
    if of is not None:
        return of_record(*built(of), artifact)
    path = Path(artifact)
    if CHECKPOINTS in (path.name, path.parent.name) or (path / RECIPE).is_file():
        return _of_checkpoints(path)
    if artifact.endswith(PICTURE):
        from sluice.flows.operate.of_picture import of_picture

        folder, _, name = artifact.rpartition("/")
        return of_picture(storage(folder or "."), name)
    if BUILT.fullmatch(artifact):
        return of_version(*built(artifact))
    if artifact in catalogue() or training_of(path) is not None or _is_network(path):
        return of_weights(artifact, None, Path())
    raise NoLineage(
        f"{artifact} is nothing that {'was made by Sluice' if path.exists() else 'is there'}: name a picture of "
        "`sluice compose`, a network, its training or its checkpoints, OUT/datasets/NAME or one of its versions, or a "
        "record by its key and --of OUT/datasets/NAME"
    )


def _is_network(path: Path) -> bool:
    return path.suffix in WEIGHTS or any((path / name).is_file() for name in CONFIGS)


def _of_checkpoints(path: Path) -> Told:
    training = training_of(path)
    if training is None:
        raise NoLineage(f"{path} lies in no training: there is neither training.json nor recipe.json above it")
    return of_training(training)
