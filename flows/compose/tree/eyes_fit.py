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
KEYS, EMBEDDING = "to_k_ip.weight", "image_proj.proj.weight"
"""Of an adapter's weights: those that are as wide as texts are, and as what sees pictures tells of them."""
MOST_HEAD = 1 << 24

Wrong: TypeAlias = Iterator[tuple[str, str]]
"""What is wrong, by the setting that is to be mended."""


def shown_fit(node: ComposeAndConquer | Reference, known: Known) -> Wrong:
    """Whether a model that is shown pictures has what sees them."""
    if isinstance(node, ComposeAndConquer) and node.exemplars is None:
        return
    blind = list(_sees_none(node.over.model, known))
    yield from (("over" if isinstance(node, Reference) else "exemplars", said) for said in blind)
    if isinstance(node, Reference) and not blind:
        yield from (("network", said) for said in _adapter(node, known))


def energy_fits(of: Energy, base: Base, known: Known) -> Wrong:
    """Whether what judges pictures for an energy is of its kind; texts are read by the family of `base`."""
    if isinstance(of, TextEnergy):
        yield from (("text", said) for said in _sees_none(base.model, known))
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
        labels = config.get("id2label")
        judges = {str(label).partition("/")[0] for label in labels.values()} if isinstance(labels, dict) else set()
        if ROWS[of.kind] not in judges:
            yield "by", f"{of.by} has no labels {ROWS[of.kind]}/..., which an energy of {of.kind} reads"


def _sees_none(model: str, known: Known) -> Iterator[str]:
    """What is wrong where a model has no CLIP that sees pictures."""
    if not known.has(model, IMAGE_ENCODER):
        yield f"{model} has no {IMAGE_ENCODER}/, CLIP's, which sees pictures: name a base with one, as tabletop is"
    elif known.config(model, IMAGE_ENCODER).get("model_type") != CLIP:
        yield f"{model}/{IMAGE_ENCODER} is no {CLIP}, which is what sees pictures: name a base with one"


def _adapter(node: Reference, known: Known) -> Iterator[str]:
    """By what the head of its file says of its weights."""
    place = found(node.network).path
    file = place / WEIGHTS if place.is_dir() else place
    shapes = _shapes_in(file)
    if not set(ADAPTER) <= {name.partition(".")[0] for name in shapes}:
        yield (
            f"{node.network} is no IP-Adapter in the published format: {file} is to hold {' and '.join(ADAPTER)}, whole"
        )
        return
    text = known.model(node.over).unet["cross_attention_dim"]
    seen = known.config(node.over.model, IMAGE_ENCODER).get("projection_dim")
    for ends, wanted, what in ((KEYS, text, "attends to texts"), (EMBEDDING, seen, "sees embeddings")):
        width = next((shape[-1] for name, shape in shapes.items() if name.endswith(ends)), wanted)
        if wanted is not None and width != wanted:
            yield f"{node.network} is {width} wide where its base {what} of {wanted}: name one for this base"


def _shapes_in(file: Path) -> dict[str, list[int]]:
    """The shapes of a safetensors file's weights, by its head; of any other file, and of a cut one, nothing."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            head = json.loads(stream.read(min(length, MOST_HEAD)))
            weights = {name: own for name, own in head.items() if name != "__metadata__"}
            end = 8 + length + max(own["data_offsets"][1] for own in weights.values())
            return {name: own["shape"] for name, own in weights.items()} if file.stat().st_size >= end else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
