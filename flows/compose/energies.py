"""A job's energies: of texts, of colours and edges, and of what the tabletop family's networks see in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.flows.compose.conditions import Conditions
from sluice.flows.compose.job import ColourEnergy, EdgesEnergy, JudgedEnergy, TextEnergy
from sluice.flows.compose.job import Energy as EnergyNode
from sluice.flows.compose.photographs import drawn, photographed
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
from sluice.infra.models import find
from sluice.infra.pretrained import load, load_network
from sluice.preprocess.perception.judges import Judges
from sluice.training.networks.latent_model import LatentModel

STYLE_STAGE, CONTENT_STAGE = 0, 1
"""Of a judge's body: what things look like is seen before what they are."""


def condition_of(of: EnergyNode, given: Conditions, model: LatentModel, name: str) -> Condition:
    """An energy as a condition on the latents of a model, which has this name in the job."""
    return Condition(of_latents(model, energy_of(of, given, model, name)), relative(of.rho), of.silent_from)


@torch.no_grad()
def energy_of(of: EnergyNode, given: Conditions, model: LatentModel, name: str) -> Energy:
    """An energy by its node: of pixels, or of the model's latents where its network takes them."""
    if isinstance(of, TextEnergy):
        return _text(of.text, find(name).path, given.device)
    if isinstance(of, ColourEnergy):
        colour = torch.tensor(of.colour, dtype=torch.float32, device=given.device) / 127.5 - 1
        return colour_energy(given.mask(of.region)[:, 0], colour)
    if isinstance(of, EdgesEnergy):
        return drawn(of, given) if of.by else edges_energy(soft_edges(given.image(of.image) * 2 - 1))
    if find(of.by).path.is_file():
        return photographed(of, given)
    shown = given.image(of.image) * 2 - 1
    if of.kind == "identity":
        network = _network(CLIPVisionModelWithProjection, find(of.by).path, given.device)
        return identity_energy(lambda x: network(x).image_embeds, network(shown).image_embeds)
    return _judged(of, shown, model)


def _judged(of: JudgedEnergy, shown: Tensor, model: LatentModel) -> Energy:
    """Of a judge, which takes pictures or, where it was trained so, latents, and spares the decoder."""
    judges, height = Judges.load(find(of.by).path), shown.shape[2]
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


@torch.no_grad()
def _text(told: str, folder: Path, device: str) -> Energy:
    tokenizer = load(CLIPTokenizer, folder, subfolder="tokenizer")
    tokens = tokenizer([told], padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = _network(CLIPTextModelWithProjection, folder, device, subfolder="text_encoder")
    image = _network(CLIPVisionModelWithProjection, folder, device, subfolder="image_encoder")
    return text_energy(image, text(tokens.to(device)).text_embeds)


def _network(kind: Any, folder: Path, device: str, **where: str) -> Any:
    return load_network(kind, folder, dtype=torch.float32, **where).to(device).requires_grad_(False)
