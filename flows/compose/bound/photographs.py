"""A job's energies of photographs, each by its network: faces by SFace, BiSeNet and MediaPipe, looks by VGG-16, HED."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree.energies import EdgesEnergy, JudgedEnergy
from sluice.flows.compose.tree.nodes import Image
from sluice.inference.energies.content import content_energy
from sluice.inference.energies.edges import edges_energy
from sluice.inference.energies.energy import Energy
from sluice.inference.energies.identity import identity_energy
from sluice.inference.energies.landmarks import landmarks_energy
from sluice.inference.energies.parsing import parsing_energy
from sluice.inference.energies.style import style_energy
from sluice.infra.settings import ConfigError
from sluice.preprocess.perception.bisenet import load_bisenet
from sluice.preprocess.perception.face_landmarks import FaceLandmarks
from sluice.preprocess.perception.faces import FaceFinder
from sluice.preprocess.perception.hed import Hed, edges, load_hed
from sluice.preprocess.perception.sface import Sface
from sluice.preprocess.perception.vgg import load_lpips, unit
from sluice.preprocess.record import Array

STYLE, CONTENT = slice(0, 4), slice(2, 4)
"""Of VGG-16's or AlexNet's five blocks: what it looks like, as Johnson et al. (2016) take it; what it shows."""


def drawn(of: EdgesEnergy, given: Conditions, parts: Parts) -> Energy:
    """Edges as HED draws them."""
    network = parts.seeing(_hed, str(of.by)).to(given.device)

    def seen(pictures: Tensor) -> Tensor:
        return edges(network, (pictures + 1) * 127.5)

    return edges_energy(seen(given.image(of.image) * 2 - 1), seen)


def photographed(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    """What the network in a file sees in an image. Raises ConfigError where there is no face to see."""
    return BY_FILE[of.kind](of, given, parts)


def _hed(path: Path) -> Hed:
    return load_hed(path, torch.device("cpu"), torch.float32).requires_grad_(False)


def _parsing(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    network = parts.seeing(load_bisenet, of.by).to(given.device)
    return parsing_energy(network, network(given.image(of.image) * 2 - 1).argmax(dim=1))


def _style(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    trunk = parts.seeing(load_lpips, of.by).to(given.device).trunk
    return style_energy(lambda x: trunk(x)[STYLE], given.image(of.image) * 2 - 1)


def _content(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    trunk = parts.seeing(load_lpips, of.by).to(given.device).trunk
    return content_energy(lambda x: [unit(layer) for layer in trunk(x)[CONTENT]], given.image(of.image) * 2 - 1)


def _identity(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    """Of a portrait in any size: where no face is seen yet, it is looked for where the portrait has its own."""
    network, finder = parts.seeing(Sface, of.by).to(given.device), _finder(of, parts)
    embeddings, places = [], []
    for own, image in zip(given.each(of.image), given.bytes(of.image), strict=True):
        points = _face(of, own, finder(image), given.device)
        shown = torch.from_numpy(image).to(given.device).permute(2, 0, 1)[None] / 127.5 - 1
        embeddings.append(network.of_faces(shown, points))
        sides = points.new_tensor([image.shape[1], image.shape[0]])
        places.append((points + 0.5) * given.size / sides - 0.5)
    otherwise = torch.cat(places)
    return identity_energy(lambda x: network.of_faces(x, finder.in_each(x, otherwise)), torch.cat(embeddings))


def _landmarks(of: JudgedEnergy, given: Conditions, parts: Parts) -> Energy:
    network, finder = parts.seeing(FaceLandmarks, of.by).to(given.device), _finder(of, parts)
    shown = zip(given.each(of.image), given.bytes(of.image), strict=True)
    otherwise = torch.cat([_face(of, own, finder(image), given.device) for own, image in shown])
    wanted = network.of_faces(given.image(of.image) * 2 - 1, otherwise)
    seen = torch.cat([wanted, torch.ones_like(wanted[..., :1])], dim=2)
    return landmarks_energy(lambda x: network.of_faces(x, finder.in_each(x, otherwise)), seen, given.size)


def _finder(of: JudgedEnergy, parts: Parts) -> FaceFinder:
    return parts.seeing(FaceFinder, str(of.faces))


def _face(of: JudgedEnergy, image: Image, points: Array | None, device: str) -> Tensor:
    """Of an image, as a batch of one. Raises ConfigError where there is none."""
    if points is None:
        raise ConfigError(f"{of.faces} finds no face in {image}, which an energy of {of.kind} is about")
    return torch.from_numpy(points).float()[None].to(device)


BY_FILE: dict[str, Callable[[JudgedEnergy, Conditions, Parts], Energy]] = {
    "identity": _identity,
    "parsing": _parsing,
    "landmarks": _landmarks,
    "style": _style,
    "content": _content,
}
"""What networks of photographs tell, by kind."""
