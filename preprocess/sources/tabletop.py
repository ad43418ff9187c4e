"""Tabletop scenes, rendered where they are read: pictures whose every truth is known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from sluice.preprocess.perception.skeleton import Person, describe, draw
from sluice.preprocess.record import Array, encode_json, encode_png
from sluice.preprocess.sources import Address, Item, Raw, Source, SourceConfig
from sluice.preprocess.tabletop import LAWS, VERSION, Rendered, Scene, captions, draw_scene, law_named, render
from sluice.preprocess.tabletop.classes import in_colours
from sluice.preprocess.tabletop.scene import Plate

MOST_SCENES = 10**8
DIGITS = len(str(MOST_SCENES - 1))
WORDINGS = 3
JUDGES, FAMILY, IMAGE_ENCODER = {"model": "tabletop/judges"}, {"model": "tabletop"}, {"model": "tabletop/image_encoder"}
EMPTIED = {"model": "tabletop-inpaint", "prompt": "", "negative_prompt": "", "guidance": 1, "noise": 0}
"""It was trained to fill holes by what is around them, without a prompt; of what could be there, what is likeliest."""


class TabletopConfig(SourceConfig):
    """`uri` is how many scenes, as in `tabletop:4000`; `size` their side in pixels; `law` which scenes there are, a
    name of LAWS: tabletop, objects, one, two, figures, faces."""

    seed: int = Field(default=0, ge=0)
    size: int = Field(default=128, ge=16, le=2048)
    law: str = "tabletop"

    @field_validator("uri")
    @classmethod
    def _counts(cls, uri: str) -> str:
        if not (uri.isascii() and uri.isdigit() and 1 <= int(uri) <= MOST_SCENES):
            raise ValueError(f"expected how many scenes to render, 1 to {MOST_SCENES}, as in tabletop:4000")
        return uri

    @field_validator("law")
    @classmethod
    def _exists(cls, law: str) -> str:
        if law not in LAWS:
            raise ValueError(f"there is no such law; there are: {', '.join(LAWS)}")
        return law


class Tabletop(Source[TabletopConfig]):
    """Scenes 0 to count - 1 of a seed; a scene stays the same whatever the count.

    The nearest thing, which nothing hides, is the foreground: `raw.mask` is its mask, `raw.background` the picture
    without it and its shadow. Depths are inverse, as 16-bit PNG, near is large: `raw.depth` of the picture,
    `raw.fg_depth` of the foreground alone (0 elsewhere), `raw.bg_depth` of the background. `raw.segments` are the
    wall (1), the table (2) and each thing, `raw.semantic` the classes of tabletop.classes, `raw.pose` the figure's
    skeleton drawn and `raw.pose.json` its points, `raw.parts` the classes in colours. `raw.json` holds the whole scene
    in its origin.
    """

    kind = "tabletop"
    config_type = TabletopConfig
    companions = (
        "raw.depth",
        "raw.mask",
        "raw.segments",
        "raw.semantic",
        "raw.pose",
        "raw.pose.json",
        "raw.parts",
        "raw.background",
        "raw.fg_depth",
        "raw.bg_depth",
    )
    stage_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "depth": JUDGES,
        "fg_depth": JUDGES,
        "bg_depth": JUDGES,
        "pose": JUDGES,
        "mask": JUDGES,
        "background": EMPTIED,
        "clip": IMAGE_ENCODER,
        "bg_clip": IMAGE_ENCODER,
        "text": FAMILY,
        "latent": FAMILY,
    }

    def items(self) -> Iterator[Item]:
        config = self.config
        stamp = f"version {VERSION}, law {config.law}, seed {config.seed}, {config.size} px"
        for index in range(int(config.uri)):
            yield Item(f"{index:0{DIGITS}}.png", 0, stamp)

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        return self.read([Address(item.uri, item.uri) for item in items], ("raw", "raw.json", *self.companions))

    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        law = law_named(self.config.law)
        for address in addresses:
            scene = draw_scene(self.config.seed, int(address.uri.removesuffix(".png")), law)
            found = render(scene, self.config.size)
            yield Raw(address, {"raw": encode_png(found.image), **self._beside(scene, found, address.uri, set(fields))})

    def _beside(self, scene: Scene, found: Rendered, uri: str, wanted: set[str]) -> dict[str, bytes]:
        """What is asked for of `raw.json` and the companions."""
        nearest = scene.nearest()
        mask = _mask(found, nearest)
        people = [Person(points * points[:, 2:]) for points in found.keypoints]
        behind = found
        if nearest is not None and wanted & {"raw.background", "raw.bg_depth"}:
            behind = render(scene.without(nearest), self.config.size)
        made: dict[str, Callable[[], bytes]] = {
            "raw.json": lambda: encode_json(self._about(scene, found, uri)),
            "raw.depth": lambda: encode_png(_inverse(found.depth)),
            "raw.mask": lambda: encode_png(mask),
            "raw.segments": lambda: encode_png(found.instances.astype(np.uint16) + 1),
            "raw.semantic": lambda: encode_png(found.semantic),
            "raw.parts": lambda: encode_png(in_colours(found.semantic)),
            "raw.pose": lambda: encode_png(draw(people, *mask.shape)),
            "raw.pose.json": lambda: encode_json(describe(people)),
            "raw.background": lambda: encode_png(behind.image),
            "raw.fg_depth": lambda: encode_png(_inverse(found.depth, mask)),
            "raw.bg_depth": lambda: encode_png(_inverse(behind.depth)),
        }
        return {name: make() for name, make in made.items() if name in wanted}

    def _about(self, scene: Scene, found: Rendered, uri: str) -> dict[str, object]:
        """Captions, and as origin everything that the scene was drawn with and where its things are in pixels."""
        faces = [item for item in scene.things if isinstance(item, Plate)]
        origin = {
            "source": self.kind,
            "uri": uri,
            "version": VERSION,
            "law": self.config.law,
            "size": self.config.size,
            "scene": scene.to_json(),
            "nearest": scene.nearest(),
            "boxes": found.boxes.tolist(),
            "visible_boxes": found.visible_boxes.tolist(),
            "keypoints": found.keypoints.round(2).tolist(),
            "landmarks": found.landmarks.round(2).tolist(),
            "identities": [face.identity.code() for face in faces],
        }
        return {"captions": captions(scene, WORDINGS), "origin": origin}


def _mask(found: Rendered, thing: int | None) -> Array:
    """255 where a thing is seen; nowhere for None."""
    return np.where(found.instances == (-1 if thing is None else thing + 2), np.uint8(255), np.uint8(0))


def _inverse(depth: Array, mask: Array | None = None) -> Array:
    """Inverse depth as uint16, the nearest 65535; outside a mask 0, and 0 what is farthest where there is none."""
    near = 1 / depth.astype(np.float64)
    if mask is not None:
        near = np.where(mask > 0, near, 0)
    span = near.max() - near.min()
    scaled: Array = ((near - near.min()) * (65535 / span if span > 0 else 0) + 0.5).astype(np.uint16)
    return scaled
