"""A job's models with their conditions bound, for the prompts of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sluice.flows.compose.bound.conditions import Conditions
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree import models as tree
from sluice.flows.compose.tree.nodes import Image
from sluice.inference.combiners.compose_and_conquer import compose_and_conquer
from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.combiners.multi_controlnet import multi_controlnet
from sluice.inference.controlled import Controlled, Ground, apart_from_null, decoded, encoder
from sluice.inference.denoisers import Bound, by_boxes, by_class, by_nothing, by_picture, by_text, halves
from sluice.inference.watching import Watch
from sluice.inference.watching_controls import summed, watched_controls, watched_fusers
from sluice.training import balance
from sluice.training.balance import with_silent_mask
from sluice.training.networks.fusers import STREAMS
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import balance as balanced
from sluice.training.tabletop.box_denoiser import in_slots


@dataclass(frozen=True)
class Binding:
    """Called with a node and the job's prompts, a model of so many pictures at once. Raises ConfigError.

    Where somebody watches, it notes what controls do. The null condition of a model that is `united` with others has
    neither controls nor fusers in it.
    """

    parts: Parts
    given: Conditions
    watch: Watch | None = None
    united: bool = False

    def __call__(self, node: tree.Model, prompts: Sequence[str]) -> Bound:
        model, batch = self.parts.model(node), len(prompts)
        if isinstance(node, tree.Pixels):
            return by_nothing(model.unet)
        if isinstance(node, tree.ByClass):
            return self._of_class(node, model, batch)
        states, null = model.states(_told(node, prompts)), model.states([""])
        if isinstance(node, tree.Base):
            return by_text(model.unet, states, null)
        if isinstance(node, tree.Boxes):
            return by_boxes(model.unet, states, null, _boxes(node, model, batch))
        if isinstance(node, tree.Reference):
            embeds = self._embeddings(node.image, node.over).expand(batch, -1)
            return by_picture(model.unet, states, null, embeds)
        if self.united:
            return apart_from_null(model.unet, self._ground(node, model, states, batch), null)
        return decoded(model.unet, self._ground(node, model, halves(null, states), batch))

    def _ground(
        self,
        node: tree.Base | tree.ComposeAndConquer | tree.MinimalImpact | tree.MultiControlNet,
        model: LatentModel,
        told: Tensor,
        batch: int,
    ) -> Ground:
        if isinstance(node, tree.Base):
            return encoder(model.unet, told)
        if isinstance(node, tree.ComposeAndConquer):
            conditions = self._fused(node, batch)
            return watched_fusers(
                lambda fusers: compose_and_conquer(model.unet, fusers, told, conditions),
                self.parts.fusers(node),
                batch,
                self.watch,
            )
        below, controls = (
            self._ground(node.over, model, told, batch),
            [self._control(own, batch) for own in node.controls],
        )
        return self._controlled(node, below, told, controls)

    def _controlled(
        self, node: tree.MinimalImpact | tree.MultiControlNet, below: Ground, told: Tensor, controls: list[Controlled]
    ) -> Ground:
        names = [f"{number}. {Path(own.network).name}" for number, own in enumerate(node.controls, 1)]
        rule: Any = None if node.rule == "sum" else getattr(balance, node.rule)

        def combined(ground: Ground, heard: Sequence[Controlled]) -> Ground:
            if isinstance(node, tree.MinimalImpact):
                return minimal_impact(ground, told, heard, rule, node.most_gain)
            return multi_controlnet(ground, told, heard, rule)

        weighed = (
            partial(balanced, rule=rule, most=node.most_gain) if isinstance(node, tree.MinimalImpact) else summed(rule)
        )

        return watched_controls(combined, below, controls, names, weighed, self.watch)

    def _control(self, of: tree.Control, batch: int) -> Controlled:
        """A ControlNet with its image, black where it is silent."""
        network, image = self.parts.controlnet(of.network), self.given.image(of.image)
        speaks = torch.ones_like(image[:, :1]) if of.speaks is None else self.given.mask(of.speaks)
        masked = with_silent_mask(image, speaks)[:, : network.config.conditioning_channels]
        return Controlled(network, masked.expand(batch, -1, -1, -1), of.strength)

    def _fused(self, of: tree.ComposeAndConquer, batch: int) -> dict[str, Tensor]:
        """What fusers take, `(batch, ...)`."""
        conditions = {"mask": self.given.mask(of.mask)}
        for name, images in (("image", of.depths), ("embedding", of.exemplars)):
            for stream, image in zip(STREAMS, images or (), strict=False):
                seen = self.given.image(image) if name == "image" else self._embeddings(image, of.over)
                conditions[f"{stream} {name}"] = seen
        return {name: value.expand(batch, *value.shape[1:]) for name, value in conditions.items()}

    def _embeddings(self, image: Image, of: tree.Base) -> Tensor:
        """CLIP's of an image `(1, width)`, or `(batch, width)` of what stands for it."""
        encoder = self.parts.image_encoder(of)
        return torch.stack([torch.from_numpy(own).float() for own in encoder(self.given.bytes(image))]).to(
            self.given.device
        )

    def _of_class(self, node: tree.ByClass, model: LatentModel, batch: int) -> Bound:
        assert node.number is not None
        null = model.unet.config.num_class_embeds - 1 if node.null is None else node.null
        return by_class(model.unet, torch.full((batch,), node.number, device=self.given.device), null)


def _told(node: tree.Model, prompts: Sequence[str]) -> Sequence[str]:
    base = tree.base_of(node)
    return prompts if base is None or base.prompt is None else [base.prompt] * len(prompts)


@torch.no_grad()
def _boxes(node: tree.Boxes, model: LatentModel, batch: int) -> dict[str, Tensor]:
    """What GLIGEN takes, `(batch, slots, ...)`."""
    phrases = [own.phrase for own in node.things]
    tokens = model.tokenizer(phrases, padding="max_length", truncation=True, return_tensors="pt").input_ids
    named = model.text_encoder(tokens.to(model.unet.device)).pooler_output
    boxes = torch.tensor([own.box for own in node.things], device=named.device)
    slots = in_slots(boxes[None], named[None], torch.ones_like(boxes[None, :, 0]))
    return {name: value.expand(batch, *value.shape[1:]) for name, value in slots.items()}
