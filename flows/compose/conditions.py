"""A job's images, beside its file and at the size of its pictures, and its ControlNets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel
from torch import Tensor

from sluice.flows.compose.job import ComposeAndConquer, Control
from sluice.inference.controlled import Controlled
from sluice.infra.models import find
from sluice.infra.pretrained import load_network
from sluice.infra.settings import ConfigError
from sluice.preprocess.perception.clip import ImageEncoder
from sluice.preprocess.record import Array
from sluice.training.balance import with_silent_mask
from sluice.training.methods.compose_and_conquer import STREAMS, Fusers
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import SoftGuidance


class Conditions:
    """Of a job in `folder`, whose pictures are `size` pixels square; ControlNets are loaded once.

    `instead` holds, for an image that the pictures of a batch do not share, what each has in its place.
    """

    def __init__(self, folder: Path, size: int, device: str) -> None:
        self.folder, self.size, self.device = folder, size, device
        self.networks: dict[str, Any] = {}
        self.instead: Mapping[Path, Sequence[Path]] = {}

    def control(self, of: Control, batch: int) -> Controlled:
        """A ControlNet with its image `(batch, channels, height, width)`, black where it is silent."""
        network = self._network(of.network)
        image = self.image(of.image)
        speaks = torch.ones_like(image[:, :1]) if of.speaks is None else self.mask(of.speaks)
        masked = with_silent_mask(image, speaks)[:, : network.config.conditioning_channels]
        return Controlled(network, masked.expand(batch, -1, -1, -1), of.strength)

    def fusers(self, of: ComposeAndConquer, model: LatentModel, batch: int) -> tuple[Fusers, dict[str, Tensor]]:
        """Compose and Conquer's fusers, as many as have conditions, and these, `(batch, ...)`. Raises ConfigError."""
        model.unet.set_attn_processor(SoftGuidance(of.guidance))
        conditions, folder = {"mask": self.mask(of.mask)}, find(of.fusers).path
        local = wide = None
        if of.depths is not None:
            local = self._fuser(LocalFuser, folder, "local")
            local.encoder.set_attn_processor(SoftGuidance(of.guidance))
            conditions |= {f"{stream} image": self.image(path) for stream, path in zip(STREAMS, of.depths, strict=True)}
        if of.exemplars is not None:
            wide = self._fuser(GlobalFuser, folder, "global")
            encoder = ImageEncoder(find(of.over.model).path / "image_encoder", torch.device(self.device), torch.float32)
            for stream, path in zip(STREAMS, of.exemplars, strict=True):
                embeddings = np.stack(encoder([self._pixels(own) for own in self._each(path)]))
                conditions[f"{stream} embedding"] = torch.from_numpy(embeddings).float().to(self.device)
        expanded = {name: value.expand(batch, *value.shape[1:]) for name, value in conditions.items()}
        return Fusers(local, wide, of.lambdas).eval(), expanded

    def image(self, path: Path) -> Tensor:
        """`(1, 3, height, width)`, or `(batch, ...)` of what stands for it; values 0 to 1. Raises ConfigError."""
        return torch.cat([self._image(own) for own in self._each(path)])

    def _each(self, path: Path) -> Sequence[Path]:
        return self.instead.get(path, (path,))

    def _image(self, path: Path) -> Tensor:
        pixels = self._pixels(path)
        if pixels.shape[:2] != (self.size, self.size):
            raise ConfigError(
                f"{self.folder / path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, and the job's pictures are "
                f"{self.size} x {self.size}: scale it, or set `size`"
            )
        planes = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)
        return planes[None].to(self.device)

    def mask(self, path: Path) -> Tensor:
        """`(1, 1, height, width)`, or `(batch, ...)`, of 0 and 1. Raises ConfigError for one that is empty."""
        masks = (self.image(path).mean(dim=1, keepdim=True) >= 0.5).float()
        for own, mask in zip(self._each(path), masks, strict=True):
            if not mask.any():
                empty = self.folder / own
                raise ConfigError(f"{empty} is a mask with nothing in it: white is where a condition speaks")
        return masks

    def _pixels(self, path: Path) -> Array:
        """RGB uint8, of any size."""
        pixels = cv2.imread(str(self.folder / path), cv2.IMREAD_COLOR_RGB) if (self.folder / path).is_file() else None
        if pixels is None:
            raise ConfigError(f"{self.folder / path}, a condition of the job, is no image that can be read")
        return pixels

    def _fuser(self, kind: Any, folder: Path, part: str) -> Any:
        return load_network(kind, folder, subfolder=part, dtype=torch.float32).to(self.device).requires_grad_(False)

    def _network(self, name: str) -> Any:
        if name not in self.networks:
            network = load_network(ControlNetModel, find(name).path, dtype=torch.float32)
            self.networks[name] = network.to(self.device).requires_grad_(False)
        return self.networks[name]
