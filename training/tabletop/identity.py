"""The judge of identities: two pictures of one face point the same way, whatever the face does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from sluice.preprocess.tabletop.render import Rendered, render
from sluice.preprocess.tabletop.scene import Plate, Scene
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.judges import roughened
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.scenes import Scenes, pixels

WIDTH = 96
EMBEDDING = 64
TEMPERATURE = 0.1


class IdentityJudge(Part):
    """Trained by symmetric cross-entropy over a batch's faces: which of them is the same one in another scene."""

    name = "identity"

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=WIDTH,
                intermediate_size=3 * WIDTH,
                num_attention_heads=4,
                num_hidden_layers=4,
                image_size=self.scenes.size,
                patch_size=8,
                projection_dim=EMBEDDING,
            )
        )
        return network

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, 2 * self.recipe.batch)
        pairs = [same_face(self.scenes, n) for n in numbers[::2]]
        one, other = zip(*pairs, strict=True)
        return {"one": pixels(one), "other": pixels(other)}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        shown = roughened(torch.cat([batch["one"], batch["other"]]), draws)
        one, other = F.normalize(network(shown).image_embeds, dim=1).chunk(2)
        logits = one @ other.T / TEMPERATURE
        own = torch.arange(len(logits), device=logits.device)
        found = (logits.argmax(dim=1) == own).float().mean()
        return {"loss": (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, "found": found}


def same_face(scenes: Scenes, number: int) -> tuple[Rendered, Rendered]:
    """A scene with a face, and the next number's scene with that face: its light, wall and expression differ."""
    scene, other = scenes.scene(number), scenes.scene(number + 1)
    identity = next(thing.identity for thing in scene.things if isinstance(thing, Plate))
    things: Sequence[Any] = [
        replace(thing, identity=identity) if isinstance(thing, Plate) else thing for thing in other.things
    ]
    again: Scene = replace(other, things=tuple(things))
    return render(scene, scenes.size), render(again, scenes.size)
