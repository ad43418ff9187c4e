"""What weights say of themselves in their configurations: enough to know what fits, before anything loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from diffusers import DDIMScheduler

from sluice.flows.compose.tree.models import Base, Boxes, ByClass, Model, Pixels, base_of
from sluice.flows.compose.tree.weights import found
from sluice.inference.sampler import moments
from sluice.infra.weights.pretrained import ModelFolderError, load
from sluice.training.networks.latent_model import LatentModel


@dataclass(frozen=True)
class Facts:
    """A model's U-Net by its configuration, its pixels for one latent, and its scheduler."""

    unet: Mapping[str, Any]
    scale: int
    scheduler: Any


class Known:
    """Each looked up once; models that are `given` are known by themselves."""

    def __init__(self, given: Mapping[str, LatentModel] | None = None) -> None:
        self._given = dict(given or {})
        self.config = cache(self._config_of)
        self._folder = cache(self._facts_of)
        self._scheduler = cache(self._scheduler_of)
        self.takes = cache(_takes)
        """Whether a scheduler has timesteps for so many steps."""

    def model(self, node: Model) -> Facts:
        """Of a model as its node has it. Raises as `found`, and ModelFolderError."""
        if isinstance(node, Pixels):
            return Facts(self.config(node.model), 1, self._scheduler(node.model))
        below = self._folder((base_of(node) or Base()).model)
        if isinstance(node, ByClass):
            return replace(below, unet=self.config(node.network), scheduler=self._scheduler(node.network))
        return replace(below, unet=self.config(node.network)) if isinstance(node, Boxes) else below

    def has(self, name: str, part: str) -> bool:
        """Whether weights have a part; of models that are given none is known beside what samples them."""
        return name not in self._given and (found(name).path / part / "config.json").is_file()

    def _facts_of(self, name: str) -> Facts:
        own = self._given.get(name)
        if own is not None:
            return Facts(own.unet.config, own.scale, own.scheduler)
        scale = 2 ** (len(self.config(name, "vae")["block_out_channels"]) - 1)
        return Facts(self.config(name, "unet"), scale, self._scheduler(name, "scheduler"))

    def _config_of(self, name: str, part: str = "") -> Mapping[str, Any]:
        return _read(found(name).path / part / "config.json")

    def _scheduler_of(self, name: str, part: str = "") -> Any:
        return load(DDIMScheduler, found(name).path, subfolder=part)


def _takes(scheduler: Any, steps: int) -> bool:
    try:
        moments(scheduler, steps)
    except (ValueError, IndexError):
        return False
    return True


def _read(file: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelFolderError(
            f"there is no {file}, which says what a network is: give a folder as `save_pretrained` writes it"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{file}, which says what a network is, cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise ModelFolderError(f"{file} is no network's configuration")
    return config
