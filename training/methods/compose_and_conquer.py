"""Compose and Conquer's fusers, trained apart and together (CnC, Sec. 3)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel
from torch import Tensor, nn

from sluice.infra.weights.pretrained import ModelFolderError, load_network
from sluice.preprocess.record import Record
from sluice.training.examples import Example, fields_seen, image, seen
from sluice.training.methods.method import Batch, noised, recomputed, require_made_for
from sluice.training.networks.fusers import STREAMS, Fusers
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import SoftGuidance
from sluice.training.networks.unet import decode, encode
from sluice.training.recipe import Recipe

PARTS = {"cnc-local": ("local",), "cnc-global": ("global",), "cnc-joint": ("local", "global")}
EMBEDDINGS = {"fg": "clip.npy", "bg": "bg_clip.npy"}
"""The foreground's stream sees the embedding of the whole image (CnC, Algorithm 1)."""


class ComposeAndConquer:
    """The local fuser, the global one, or both, saved in the folders `local` and `global`."""

    def __init__(
        self, recipe: Recipe, model: LatentModel, available: Collection[str], begin: Path | None = None
    ) -> None:
        self.recipe, self.model, self.begin = recipe, model, begin
        self.parts = PARTS[recipe.method]
        if begin is not None:
            _require_parts(begin, self.parts)
        self.seen = fields_seen(available)
        model.unet.set_attn_processor(SoftGuidance(recipe.guidance))

    @property
    def fields(self) -> frozenset[str]:
        wanted = {*self.seen, "mask.png"}
        if "local" in self.parts:
            wanted |= {self._seen_by(stream) for stream in STREAMS}
        if "global" in self.parts:
            wanted |= set(EMBEDDINGS.values())
        return frozenset(wanted)

    def network(self) -> nn.Module:
        local = self._local() if "local" in self.parts else None
        if local is not None:
            local.encoder.set_attn_processor(SoftGuidance(self.recipe.guidance))
        if self.recipe.gradient_checkpointing:
            recomputed(self.model.unet, *([local.encoder] if local is not None else []))
        return Fusers(local, self._global() if "global" in self.parts else None).train()

    def example(self, record: Record, epoch: int) -> Example:  # noqa: ARG002 - nothing of it is drawn by epoch
        size = self.recipe.size
        made = {**seen(record, self.seen, size), "mask": image(record, "mask.png", size)[:1]}
        for stream in STREAMS:
            if "local" in self.parts:
                made[f"{stream} image"] = image(record, self._seen_by(stream), size)
            if "global" in self.parts:
                made[f"{stream} embedding"] = torch.from_numpy(record[EMBEDDINGS[stream]].astype(np.float32))
        return made

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        given = noised(self.model, self.recipe, batch)
        conditions = {name: self._kept(batch, name) for name in batch.tensors if name.startswith(STREAMS)}
        states, attention, features = network(given.x, given.t, given.states, batch.tensors["mask"], conditions)
        # Global tokens reach the frozen encoder's attention, so that their fuser's gradient goes through it too.
        with torch.set_grad_enabled(states.requires_grad):
            encoded = encode(self.model.unet, given.x, given.t, states, attention=attention)
        if features is not None:
            encoded = encoded.with_features(tuple(f + c for f, c in zip(encoded.features, features, strict=True)))
        noise = F.mse_loss(decode(self.model.unet, encoded).float(), given.noise)
        return {"loss": noise, "noise": noise}

    def save(self, network: nn.Module, folder: Path) -> None:
        assert isinstance(network, Fusers)
        for part, own in (("local", network.local), ("global", network.wide)):
            if own is not None:
                own.save_pretrained(folder / part)

    def _seen_by(self, stream: str) -> str:
        """What a stream of the local fuser sees: its part, or the whole image without triplets (CnC, Fig. 3)."""
        images = f"{self.recipe.images}.png"
        return f"{stream}_{images}" if self.recipe.triplets else images

    def _kept(self, batch: Batch, name: str) -> Tensor:
        """A condition, zeros where it is dropped."""
        given = batch.tensors[name]
        kept = batch.draws.uniform(name) >= self.recipe.drop_conditions
        return given * kept.reshape(-1, *[1] * (given.dim() - 1))

    def _local(self) -> LocalFuser:
        fuser: LocalFuser
        if self.begin is not None and (self.begin / "local").is_dir():
            fuser = load_network(LocalFuser, self.begin, subfolder="local")
            require_made_for(fuser.config.controlnet, self.model.unet, self.begin / "local")
            return fuser
        if self.begin is not None and (self.begin / "config.json").is_file():
            begun: Any = load_network(ControlNetModel, self.begin)
            require_made_for(begun.config, self.model.unet, self.begin)
        else:
            begun = ControlNetModel.from_unet(self.model.unet)
        fuser = LocalFuser.from_controlnet(begun.float(), self.model.scale)
        return fuser

    def _global(self) -> GlobalFuser:
        fuser: GlobalFuser
        if self.begin is not None and (self.begin / "global").is_dir():
            fuser = load_network(GlobalFuser, self.begin, subfolder="global")
            made_for = {"cross_attention_dim": fuser.config.width}
            require_made_for(made_for, self.model.unet, self.begin / "global")
            return fuser
        fuser = GlobalFuser(width=self.model.unet.config.cross_attention_dim, expansion=self.recipe.expansion)
        return fuser


def _require_parts(begin: Path, parts: Collection[str]) -> None:
    """Raises ModelFolderError where a folder to begin from has nothing for a fuser that is to be trained."""
    if (begin / "config.json").is_file():
        if "local" not in parts:
            raise ModelFolderError(
                f"{begin}, which `begin` names, is one network, such as a ControlNet, from which a local fuser can "
                "begin: a global one begins from a folder with global/ in it, or without `begin`"
            )
        return
    lacking = [part for part in parts if not (begin / part).is_dir()]
    if lacking:
        raise ModelFolderError(
            f"{begin}, which `begin` names, has no {' and no '.join(f'{part}/' for part in lacking)}: a training of "
            "the fusers leaves them there; a ControlNet's own folder, with its config.json, does for the local one"
        )
