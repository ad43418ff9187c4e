"""That the networks by which a job sees images and pictures are of a kind that can, told by their configurations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from sluice.flows.compose.tree.energies import BY_FILE, OF_A_FACE, EdgesEnergy, Energy, JudgedEnergy, TextEnergy
from sluice.flows.compose.tree.facts import Known
from sluice.flows.compose.tree.models import Base, ComposeAndConquer, Reference
from sluice.flows.compose.tree.weights import found
from sluice.training.tabletop.reference import WEIGHTS

IMAGE_ENCODER = "image_encoder"
CLIP, SEGFORMER = "clip_vision_model", "segformer"
ROWS = {"parsing": "parser", "depth": "depth", "pose": "pose", "landmarks": "landmarks"}
"""What of a judge's labels `judge/label` an energy reads; those of looks read none."""
ADAPTER = ("image_proj", "ip_adapter")

Wrong: TypeAlias = Iterator[tuple[str, str]]
"""What is wrong, by the setting that is to be mended."""


def shown_fit(node: ComposeAndConquer | Reference, known: Known) -> Wrong:
    """Whether a model that is shown pictures has what sees them."""
    if isinstance(node, Reference):
        yield from (("network", said) for said in _adapter(node.network))
    elif node.exemplars is None:
        return
    if not known.has(node.over.model, IMAGE_ENCODER):
        yield "over" if isinstance(node, Reference) else "exemplars", _sees_none(node.over.model)


def energy_fits(of: Energy, base: Base, known: Known) -> Wrong:
    """Whether what judges pictures for an energy is of its kind; texts are read by the family of `base`."""
    if isinstance(of, TextEnergy):
        if not known.has(base.model, IMAGE_ENCODER):
            yield "text", _sees_none(base.model)
    elif isinstance(of, EdgesEnergy):
        if of.by is not None and not found(of.by).path.is_file():
            yield "by", f"{of.by} is a folder, and edges are drawn by the file of HED's weights (hed), or without `by`"
    elif isinstance(of, JudgedEnergy):
        yield from _by_file(of) if found(of.by).path.is_file() else _by_folder(of, known)


def _by_file(of: JudgedEnergy) -> Wrong:
    if of.kind not in BY_FILE:
        yield (
            "by",
            f"an energy of {of.kind} is judged by a folder of networks such as tabletop/judges, and {of.by} is a file; "
            f"files tell {', '.join(BY_FILE)}",
        )
    elif of.kind in OF_A_FACE and of.faces is None:
        yield "faces", f"an energy of {of.kind} by {of.by} sees a face alone: say what finds it (yunet)"


def _by_folder(of: JudgedEnergy, known: Known) -> Wrong:
    config = known.config(of.by)
    wanted, own = CLIP if of.kind == "identity" else SEGFORMER, config.get("model_type")
    if own != wanted:
        ours = "tabletop/identity" if wanted == CLIP else "tabletop/judges"
        yield "by", f"{of.by} is no {wanted}, by which an energy of {of.kind} sees (it is {own}): {ours} is one"
    elif of.kind in ROWS:
        judges = {str(label).partition("/")[0] for label in dict(config.get("id2label") or {}).values()}
        if ROWS[of.kind] not in judges:
            yield "by", f"{of.by} has no labels {ROWS[of.kind]}/..., which an energy of {of.kind} reads"


def _sees_none(model: str) -> str:
    return f"{model} has no {IMAGE_ENCODER}/, CLIP's, which sees pictures: name a base with one, as tabletop is"


def _adapter(name: str) -> Iterator[str]:
    place = found(name).path
    file = place / WEIGHTS if place.is_dir() else place
    parts = _parts_in(file)
    if not set(ADAPTER) <= parts:
        yield f"{name} is no IP-Adapter in the published format: {file} is to hold {' and '.join(ADAPTER)}"


def _parts_in(file: Path) -> set[str]:
    """What the names of a safetensors file's weights begin with, by its head alone; of any other file, nothing."""
    try:
        with file.open("rb") as stream:
            head = json.loads(stream.read(min(int.from_bytes(stream.read(8), "little"), 1 << 24)))
    except (OSError, ValueError):
        return set()
    return {str(name).partition(".")[0] for name in head} if isinstance(head, dict) else set()
