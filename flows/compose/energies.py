"""A job's energies: of texts, of colours and edges, and of what networks see in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.flows.compose.conditions import Conditions
from sluice.flows.compose.job import ColourEnergy, EdgesEnergy, Energy, JudgedEnergy, TextEnergy
from sluice.inference.combiners.freedom import Condition, relative
from sluice.inference.energies import pictures
from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.content import content_energy
from sluice.inference.energies.depth import depth_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.style import gram, style_energy
from sluice.inference.energies.text import text_energy
from sluice.infra.models import find
from sluice.infra.pretrained import load, load_network
from sluice.preprocess.perception.judges import Judges
from sluice.training.networks.latent_model import LatentModel

STYLE_STAGE, CONTENT_STAGE = 0, 1
"""Of a judge's body: what things look like is seen before what they are."""


def condition_of(of: Energy, given: Conditions, model: LatentModel, name: str) -> Condition:
    """An energy of the latents of a model, which has this name in the job."""
    energy: pictures.Energy
    if isinstance(of, JudgedEnergy) and of.kind != "identity":
        energy = _judged(of, given, model)
    else:
        energy = pictures.of_pictures(model, _of_pictures(of, given, name))
    return Condition(energy, relative(of.rho), of.silent_from)


def _of_pictures(of: Energy, given: Conditions, name: str) -> pictures.Energy:
    if isinstance(of, TextEnergy):
        return _text(of.text, find(name).path, given.device)
    if isinstance(of, ColourEnergy):
        colour = torch.tensor(of.colour, dtype=torch.float32, device=given.device) / 127.5 - 1
        return colour_energy(given.mask(of.region)[:, 0], colour)
    shown = given.image(of.image) * 2 - 1
    if isinstance(of, EdgesEnergy):
        return edges_energy(soft_edges(shown))
    network = _network(CLIPVisionModelWithProjection, find(of.by).path, given.device)
    with torch.no_grad():
        return identity_energy(network, network(shown).image_embeds)


@torch.no_grad()
def _judged(of: JudgedEnergy, given: Conditions, model: LatentModel) -> pictures.Energy:
    """Of a judge, which takes pictures or, where it was trained so, latents, and spares the decoder."""
    shown = given.image(of.image) * 2 - 1
    judges = Judges.load(find(of.by).path)
    judges.network.to(given.device)
    of_latents = judges.network.config.num_channels != shown.shape[1]
    if of_latents:
        judges, shown = Judges(judges.network, judges.rows, model.scale), model.encode(shown)
    energy = _judged_energy(of, judges, shown)
    return energy if of_latents else pictures.of_pictures(model, energy)


def _judged_energy(of: JudgedEnergy, judges: Judges, shown: Tensor) -> pictures.Energy:
    seen = judges(shown)
    if of.kind == "depth":
        return depth_energy(judges, seen.depth()[:, 0])
    if of.kind == "parsing":
        return parsing_energy(judges, seen.classes().argmax(dim=1))
    if of.kind in ("landmarks", "pose"):
        return landmarks_energy(judges, seen.points(of.kind), of.kind)
    if of.kind == "style":
        return style_energy(lambda x: judges.maps(x, STYLE_STAGE), gram(judges.maps(shown, STYLE_STAGE)))
    return content_energy(lambda x: judges.maps(x, CONTENT_STAGE), judges.maps(shown, CONTENT_STAGE))


@torch.no_grad()
def _text(told: str, folder: Path, device: str) -> pictures.Energy:
    tokenizer = load(CLIPTokenizer, folder, subfolder="tokenizer")
    tokens = tokenizer([told], padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = _network(CLIPTextModelWithProjection, folder, device, subfolder="text_encoder")
    image = _network(CLIPVisionModelWithProjection, folder, device, subfolder="image_encoder")
    return text_energy(image, text(tokens.to(device)).text_embeds)


def _network(kind: Any, folder: Path, device: str, **where: str) -> Any:
    return load_network(kind, folder, dtype=torch.float32, **where).to(device).requires_grad_(False)
