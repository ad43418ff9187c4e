"""What jobs name, loaded: models as their nodes have them, ControlNets, fusers, image encoders."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers import ControlNetModel, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel

from sluice.flows.compose.tree.models import Base, Boxes, ByClass, ComposeAndConquer, Model, Pixels, Reference
from sluice.flows.compose.tree.weights import found
from sluice.inference.adapters import sharing_weights, with_ip_adapter, with_soft_guidance
from sluice.inference.pixels import pixel_model
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.clip import ImageEncoder
from sluice.training.networks.fusers import Fusers
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import SoftGuidance
from sluice.training.tabletop.reference import WEIGHTS

T = TypeVar("T")


class Parts:
    """Each loaded once; models that are `given` not at all, by the names that jobs have for them."""

    def __init__(self, device: str, given: Mapping[str, LatentModel] | None = None) -> None:
        self.device = device
        self._kept: dict[Hashable, Any] = {("base", name): model for name, model in (given or {}).items()}

    def model(self, node: Model) -> LatentModel:
        """With the U-Net and the schedule of a node; attention that differs is its own, on shared weights."""
        if isinstance(node, Base):
            return self._once(("base", node.model), lambda: LatentModel.load(found(node.model).path, self.device))
        if isinstance(node, Pixels):
            return self._once(("pixels", node.model), lambda: pixel_model(found(node.model).path, self.device))
        below = self.model(node.over)
        if isinstance(node, ComposeAndConquer):
            own = self._once(
                ("soft guidance", node.over.model, node.guidance), lambda: with_soft_guidance(below.unet, node.guidance)
            )
            return replace(below, unet=own)
        if isinstance(node, ByClass):
            return replace(below, unet=self._unet(UNet2DModel, node.network), scheduler=self._schedule(node.network))
        if isinstance(node, Boxes):
            return replace(below, unet=self._unet(UNet2DConditionModel, node.network))
        if isinstance(node, Reference):
            return replace(below, unet=self._adapted(node, below.unet))
        return below

    def controlnet(self, name: str) -> Any:
        """By name or folder."""
        return self._once(("controlnet", name), lambda: self._network(ControlNetModel, found(name).path))

    def fusers(self, of: ComposeAndConquer) -> Fusers:
        """Those of a folder that have conditions."""
        folder = found(of.fusers).path
        local = wide = None
        if of.depths is not None:
            fuser = self._once(("local", folder), lambda: self._network(LocalFuser, folder, "local"))
            local = self._once(("local", folder, of.guidance), lambda: sharing_weights(fuser))
            local.encoder.set_attn_processor(SoftGuidance(of.guidance))
        if of.exemplars is not None:
            wide = self._once(("global", folder), lambda: self._network(GlobalFuser, folder, "global"))
        return Fusers(local, wide, of.lambdas).eval()

    def image_encoder(self, of: Base) -> ImageEncoder:
        """CLIP's, of a model's folder."""
        device = torch.device(self.device)
        return self._once(
            ("image encoder", of.model),
            lambda: ImageEncoder(found(of.model).path / "image_encoder", device, torch.float32),
        )

    def seeing(self, load: Callable[[Path], T], name: str) -> T:
        """A network that sees pictures, as `load` makes it of the weights of a name."""
        return self._once(("seeing", load, name), lambda: load(found(name).path))

    def _unet(self, kind: Any, name: str) -> Any:
        return self._once(("unet", name), lambda: self._network(kind, found(name).path))

    def _schedule(self, name: str) -> Any:
        """DDIM has no use for the variance that a schedule lets a network learn."""
        config = self._once(("schedule", name), lambda: load(DDPMScheduler, found(name).path).config)
        return DDIMScheduler.from_config(config)

    def _adapted(self, node: Reference, unet: Any) -> Any:
        place = found(node.network).path
        file = place / WEIGHTS if place.is_dir() else place
        return self._once(
            ("adapted", node.over.model, node.network, node.scale), lambda: with_ip_adapter(unet, file, node.scale)
        )

    def _network(self, kind: Any, folder: Path, part: str = "") -> Any:
        network = load_network(kind, folder, subfolder=part, dtype=torch.float32)
        return network.to(self.device).requires_grad_(False)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        return cast(T, self._kept[key])
