"""What the denoisers are shown of scenes: latents with captions, with boxes, and with a thing taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.render import FIRST, Rendered, render
from sluice.preprocess.tabletop.scene import Figure, Item, Scene, Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import caption, with_article
from sluice.training.tabletop.frozen import Frozen
from sluice.training.tabletop.latents import Encode
from sluice.training.tabletop.scenes import Scenes, pixels
from sluice.training.tabletop.text_encoder import WORDINGS

AT_ONCE = 50
BOXES = 8
SEEN = 2
"""Raise it whenever what is shown of the same scenes changes."""
GROWN = 3
"""Pixels by which a hole of 64 is wider than the thing in it, on every side."""

PHRASES = (*map(with_article, SHAPES), "a figure", "a face")

Fields = dict[str, Tensor]


def captioned(frozen: Frozen, scenes: Scenes) -> Encode:
    """Latents and text states."""
    return _in_parts(lambda numbers: _captioned(frozen, scenes, numbers, _shown(scenes, numbers)))


def pictured(frozen: Frozen, scenes: Scenes) -> Encode:
    """Latents, text states and image embeddings."""

    def encode(numbers: Sequence[int]) -> Fields:
        shown = _shown(scenes, numbers)
        return {**_captioned(frozen, scenes, numbers, shown), "embeds": frozen.embeds(shown)}

    return _in_parts(encode)


def classed(frozen: Frozen, scenes: Scenes) -> Encode:
    """Latents and the number of the nearest object's shape."""

    def encode(numbers: Sequence[int]) -> Fields:
        shown = [scenes.scene(n) for n in numbers]
        return {
            **_posterior(frozen, pixels([scenes.render(n) for n in numbers])),
            "shape": torch.tensor([float(nearest_shape(scene)) for scene in shown]),
        }

    return _in_parts(encode)


def placed(frozen: Frozen, scenes: Scenes) -> Encode:
    """Latents, states of captions that name no colour, and what stands where: `places`."""
    phrases = dict(zip(PHRASES, frozen.pooled(PHRASES).cpu(), strict=True))

    def encode(numbers: Sequence[int]) -> Fields:
        drawn = [scenes.scene(n) for n in numbers]
        shown = [scenes.render(n) for n in numbers]
        told = [caption(scene, n % WORDINGS, colours=False) for scene, n in zip(drawn, numbers, strict=True)]
        return {
            **_posterior(frozen, pixels(shown)),
            "states": frozen.states(told),
            **places(drawn, shown, phrases),
        }

    return _in_parts(encode)


def emptied(frozen: Frozen, scenes: Scenes) -> Encode:
    """Latents of scenes without one of their things, of the same with a hole in its place, and the hole.

    What is around the hole still has the thing's shadow.
    """

    def encode(numbers: Sequence[int]) -> Fields:
        drawn = [scenes.scene(n) for n in numbers]
        shown = [render(scene, scenes.size) for scene in drawn]
        removed = [some_thing(picture, n) for picture, n in zip(shown, numbers, strict=True)]
        emptied = [scene.without(k) for scene, k in zip(drawn, removed, strict=True)]
        holes = _planes([hole(picture, k) for picture, k in zip(shown, removed, strict=True)])
        latent = _posterior(frozen, pixels([render(scene, scenes.size) for scene in emptied]))
        return {
            **latent,
            "masked": frozen.posterior(pixels(shown) * (1 - holes))[0],
            "hole": F.interpolate(holes, size=latent["mean"].shape[2:]),
            "states": frozen.states([caption(scene, n % WORDINGS) for scene, n in zip(emptied, numbers, strict=True)]),
        }

    return _in_parts(encode)


def nearest_shape(scene: Scene) -> int:
    """The number, in SHAPES, of the nearest object; one past the last where there is none."""
    objects = [item for item in scene.things if isinstance(item, Thing)]
    if not objects:
        return len(SHAPES)
    return list(SHAPES).index(min(objects, key=lambda item: item.z).shape)


def phrase_of(item: Item) -> str:
    """What a thing is called where colours are not named."""
    return with_article(item.shape) if isinstance(item, Thing) else "a figure" if isinstance(item, Figure) else "a face"


def some_thing(picture: Rendered, number: int) -> int:
    """One of the things that are seen in a picture, another one for another number."""
    seen = np.flatnonzero(picture.visible_boxes[:, 2])
    return int(seen[number % len(seen)])


def hole(picture: Rendered, k: int) -> Array:
    """Where the k-th thing of a picture is, and a rim around it: `(height, width)` float32, 1 inside."""
    grown = round(GROWN * len(picture.depth) / 64)
    inside = (picture.instances == k + FIRST).astype(np.float32)
    return np.asarray(cv2.dilate(inside, np.ones((2 * grown + 1, 2 * grown + 1), np.uint8)))


def places(scenes: Sequence[Scene], shown: Sequence[Rendered], phrases: Mapping[str, Tensor]) -> Fields:
    """What stands where in scenes, the nearest eight things of each, by the embeddings of PHRASES.

    `boxes` `(batch, 8, 4)` left, top, right, bottom as shares of the picture, `phrases` `(batch, 8, width)`, `present`
    `(batch, 8)` 1 or 0.
    """
    rows = [_places(scene, picture, phrases) for scene, picture in zip(scenes, shown, strict=True)]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _places(scene: Scene, picture: Rendered, phrases: Mapping[str, Tensor]) -> Fields:
    nearest = sorted(range(len(scene.things)), key=lambda k: scene.things[k].z)[:BOXES]
    height, width = picture.depth.shape
    boxes, present = torch.zeros(BOXES, 4), torch.zeros(BOXES)
    named = torch.zeros(BOXES, len(next(iter(phrases.values()))))
    for row, k in enumerate(nearest):
        boxes[row] = torch.from_numpy(picture.boxes[k] / [width, height, width, height])
        named[row] = phrases[phrase_of(scene.things[k])]
        present[row] = 1
    return {"boxes": boxes, "present": present, "phrases": named}


def _shown(scenes: Scenes, numbers: Sequence[int]) -> Tensor:
    return pixels([scenes.render(n) for n in numbers])


def _captioned(frozen: Frozen, scenes: Scenes, numbers: Sequence[int], shown: Tensor) -> Fields:
    captions = [caption(scenes.scene(n), n % WORDINGS) for n in numbers]
    return {**_posterior(frozen, shown), "states": frozen.states(captions)}


def _planes(arrays: Sequence[Array]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))[:, None]


def _posterior(frozen: Frozen, shown: Tensor) -> Fields:
    mean, deviation = frozen.posterior(shown)
    return {"mean": mean, "deviation": deviation}


def _in_parts(encode: Callable[[Sequence[int]], Fields]) -> Encode:
    """Few enough scenes at once for any memory."""

    def parts(numbers: Sequence[int]) -> Iterator[Fields]:
        for start in range(0, len(numbers), AT_ONCE):
            yield encode(numbers[start : start + AT_ONCE])

    def whole(numbers: Sequence[int]) -> Mapping[str, Array]:
        made = list(parts(numbers))
        return {name: torch.cat([part[name].cpu() for part in made]).numpy() for name in made[0]}

    return whole
