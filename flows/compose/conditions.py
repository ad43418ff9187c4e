"""A job's conditions as tensors: images beside the job's file, at the size of its pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.flows.compose.job import ColourEnergy, Control, EdgesEnergy, Energy, TextEnergy
from sluice.inference.combiners.freedom import Condition, relative
from sluice.inference.controlled import Controlled
from sluice.inference.energies.colour import colour_energy
from sluice.inference.energies.edges import edges_energy, soft_edges
from sluice.inference.energies.pictures import of_pictures
from sluice.inference.energies.text import text_energy
from sluice.infra.models import find
from sluice.infra.pretrained import load, load_network
from sluice.infra.settings import ConfigError
from sluice.training.balance import with_silent_mask
from sluice.training.networks.latent_model import LatentModel


class Conditions:
    """Read and loaded once for a job in `folder`, whose pictures are `size` pixels square."""

    def __init__(self, folder: Path, size: int, device: str) -> None:
        self.folder, self.size, self.device = folder, size, device
        self._networks: dict[str, Any] = {}

    def control(self, of: Control, batch: int) -> Controlled:
        """A ControlNet with its image `(batch, channels, height, width)`, black where it is silent."""
        network = self._network(of.network)
        image = self.image(of.image)
        speaks = torch.ones_like(image[:, :1]) if of.speaks is None else self.mask(of.speaks)
        masked = with_silent_mask(image, speaks)[:, : network.config.conditioning_channels]
        return Controlled(network, masked.expand(batch, -1, -1, -1), of.strength)

    def energy(self, of: Energy, model: LatentModel, name: str) -> Condition:
        """An energy of the latents of a model, which has this name."""
        make: dict[type, Callable[[Any, str], Any]] = {
            TextEnergy: self._text,
            ColourEnergy: self._colour,
            EdgesEnergy: self._edges,
        }
        return Condition(of_pictures(model, make[type(of)](of, name)), relative(of.rho), of.silent_from)

    def image(self, path: Path) -> Tensor:
        """`(1, 3, height, width)`, values 0 to 1. Raises ConfigError."""
        pixels = cv2.imread(str(self.folder / path), cv2.IMREAD_COLOR_RGB) if (self.folder / path).is_file() else None
        if pixels is None:
            raise ConfigError(f"{self.folder / path}, a condition of the job, is no image that can be read")
        if pixels.shape[:2] != (self.size, self.size):
            raise ConfigError(
                f"{self.folder / path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, and the job's pictures are "
                f"{self.size} x {self.size}: scale it, or set `size`"
            )
        planes = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)
        return planes[None].to(self.device)

    def mask(self, path: Path) -> Tensor:
        """`(1, 1, height, width)` of 0 and 1. Raises ConfigError for one that is empty."""
        mask = (self.image(path).mean(dim=1, keepdim=True) >= 0.5).float()
        if not mask.any():
            raise ConfigError(f"{self.folder / path} is a mask with nothing in it: white is where a condition speaks")
        return mask

    def _network(self, name: str) -> Any:
        if name not in self._networks:
            network = load_network(ControlNetModel, find(name).path, dtype=torch.float32)
            self._networks[name] = network.to(self.device).requires_grad_(False)
        return self._networks[name]

    def _text(self, of: TextEnergy, name: str) -> Any:
        folder = find(name).path
        text = load_network(CLIPTextModelWithProjection, folder, subfolder="text_encoder", dtype=torch.float32)
        image = load_network(CLIPVisionModelWithProjection, folder, subfolder="image_encoder", dtype=torch.float32)
        tokenizer = load(CLIPTokenizer, folder, subfolder="tokenizer")
        tokens = tokenizer([of.text], padding="max_length", truncation=True, return_tensors="pt").input_ids
        with torch.no_grad():
            wanted = text(tokens).text_embeds.to(self.device)
        return text_energy(image.to(self.device).requires_grad_(False), wanted)

    def _colour(self, of: ColourEnergy, _name: str) -> Any:
        colour = torch.tensor(of.colour, dtype=torch.float32, device=self.device) / 127.5 - 1
        return colour_energy(self.mask(of.region)[:, 0], colour)

    def _edges(self, of: EdgesEnergy, _name: str) -> Any:
        return edges_energy(soft_edges(self.image(of.image) * 2 - 1))
