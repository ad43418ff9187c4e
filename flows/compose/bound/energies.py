"""A job's energies: of texts, of colours and edges, and of what the tabletop family's networks see in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.bound.photographs import drawn, photographed
from sluice.flows.compose.tree.energies import ColourEnergy, EdgesEnergy, JudgedEnergy, TextEnergy
from sluice.flows.compose.tree.energies import Energy as EnergyNode
from sluice.flows.compose.tree.models import Base, Model, base_of
from sluice.flows.compose.tree.weights import found
from sluice.inference.combiners.freedom import Condition, relative
from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.content import content_energy
from sluice.inference.energies.depth import depth_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.energy import Energy
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.latents import of_latents
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.style import style_energy
from sluice.inference.energies.text import text_energy
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.judges import Judges
from sluice.training.networks.latent_model import LatentModel

STYLE_STAGE, CONTENT_STAGE = 0, 1
"""Of a judge's body: what things look like is seen before what they are."""


def condition_of(of: EnergyNode, given: Conditions, parts: Parts, along: Model) -> Condition:
    """An energy as a condition on the latents of a model."""
    return Condition(
        of_latents(parts.model(along), energy_of(of, given, parts, along)), relative(of.rho), of.silent_from
    )


@torch.no_grad()
def energy_of(of: EnergyNode, given: Conditions, parts: Parts, along: Model) -> Energy:
    """An energy by its node: of pixels, or of the model's latents where its network takes them.

    What reads text beside pixels is tabletop's.
    """
    if isinstance(of, TextEnergy):
        return _text(given.texts(of.text), (base_of(along) or Base()).model, parts)
    if isinstance(of, ColourEnergy):
        colour = torch.tensor(of.colour, dtype=torch.float32, device=given.device) / 127.5 - 1
        return colour_energy(given.mask(of.region)[:, 0], colour)
    if isinstance(of, EdgesEnergy):
        return drawn(of, given, parts) if of.by else edges_energy(soft_edges(given.image(of.image) * 2 - 1))
    if found(of.by).path.is_file():
        return photographed(of, given, parts)
    shown = given.image(of.image) * 2 - 1
    if of.kind == "identity":
        network = parts.seeing(_image_tower, of.by).to(given.device)
        return identity_energy(lambda x: network(x).image_embeds, network(shown).image_embeds)
    return _judged(of, shown, parts, parts.model(along))


def _judged(of: JudgedEnergy, shown: Tensor, parts: Parts, model: LatentModel) -> Energy:
    """Of a judge, which takes pictures or, where it was trained so, latents, and spares the decoder."""
    judges, height = parts.seeing(Judges.load, of.by), shown.shape[2]
    judges.network.to(shown.device)
    if judges.network.config.num_channels != shown.shape[1]:
        judges, shown = Judges(judges.network, judges.rows, model.scale), model.encode(shown)
    seen, wants = judges(shown), judges.wants
    if of.kind == "depth":
        return depth_energy(lambda x: judges(x).depth()[:, 0], seen.depth()[:, 0], wants)
    if of.kind == "parsing":
        return parsing_energy(lambda x: judges(x).classes(), seen.classes().argmax(dim=1), wants)
    if of.kind in ("landmarks", "pose"):
        return landmarks_energy(lambda x: judges(x).points(of.kind), seen.points(of.kind), height, wants)
    if of.kind == "style":
        return style_energy(lambda x: [judges.maps(x, STYLE_STAGE)], shown, wants)
    return content_energy(lambda x: [judges.maps(x, CONTENT_STAGE)], shown, wants)


def _text(told: Sequence[str], family: str, parts: Parts) -> Energy:
    tokenizer, text, image = parts.seeing(_towers, family)
    tokens = tokenizer(list(told), padding="max_length", truncation=True, return_tensors="pt").input_ids
    return text_energy(image.to(parts.device), text.to(parts.device)(tokens.to(parts.device)).text_embeds)


def _towers(family: Path) -> tuple[Any, Any, Any]:
    tokenizer = load(CLIPTokenizer, family, subfolder="tokenizer")
    text = _network(CLIPTextModelWithProjection, family, subfolder="text_encoder")
    return tokenizer, text, _network(CLIPVisionModelWithProjection, family, subfolder="image_encoder")


def _image_tower(folder: Path) -> Any:
    return _network(CLIPVisionModelWithProjection, folder)


def _network(kind: Any, folder: Path, **where: str) -> Any:
    return load_network(kind, folder, dtype=torch.float32, **where).requires_grad_(False)
