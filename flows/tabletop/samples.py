"""Pictures of what each part does, on held-out scenes, the same ones each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from sluice.flows.tabletop.boxes import box_pictures
from sluice.flows.tabletop.figure import FACES, FIGURES, PAIRS, SHOWN, SINGLE
from sluice.flows.tabletop.inpainting import emptied, inpainted, telea
from sluice.flows.tabletop.making import class_pictures, face_pictures, single
from sluice.flows.tabletop.reading import to_bytes
from sluice.flows.tabletop.reference import adapted, reference_pictures
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.infra.page.blocks import Figure, Strip
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.page.pictures import figure
from sluice.preprocess.perception.judges import Judgement, Judges
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.render import Rendered
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import caption, plain_caption
from sluice.training.tabletop.scenes import pixels

COUNT = 8
SEED = 5
_HUES = [[number * 180 // len(CLASSES), 170, 230 - 60 * (number % 2)] for number in range(len(CLASSES))]
CLASS_COLOURS: Array = cv2.cvtColor(np.array([_HUES], np.uint8), cv2.COLOR_HSV2RGB)[0]


def samples(part: str, models: Path) -> list[Strip]:
    """What to show of a part, from the family's folder; nothing of one that sees without a picture."""
    make = SAMPLES.get(part)
    if make is None:
        return []
    with torch.no_grad():
        return make(models)


def _autoencoder(models: Path) -> list[Strip]:
    vae: Any = load_network(AutoencoderKL, models, subfolder="vae", dtype=torch.float32)
    shown = pixels([SHOWN.render(number) for number in range(COUNT)])
    return [_strip("pictures", shown), _strip("decoded", vae.decode(vae.encode(shown).latent_dist.mode()).sample)]


def _judges(models: Path) -> list[Strip]:
    judges = Judges.load(models / "judges")
    return _judged(lambda shown: judges(shown))


def _latent_judges(models: Path) -> list[Strip]:
    vae: Any = load_network(AutoencoderKL, models, subfolder="vae", dtype=torch.float32)
    judges = Judges.load(models / "latent_judges", scale=4)
    return _judged(lambda shown: judges(vae.encode(shown).latent_dist.mode() * vae.config.scaling_factor))


def _judged(judge: Callable[[Tensor], Judgement]) -> list[Strip]:
    shown = _some_of_each()
    found = judge(pixels(shown))
    depth = found.depth()[:, 0].numpy()
    near, far = (function([picture.depth for picture in shown]) for function in (np.min, np.max))
    levels = np.clip((far - depth) / (far - near) * 255, 0, 255).astype(np.uint8)
    return [
        _strip("pictures", pixels(shown)),
        Strip([figure("", CLASS_COLOURS[own]) for own in found.classes().argmax(dim=1).numpy()], "classes"),
        Strip([figure("", np.repeat(own[..., None], 3, axis=2)) for own in levels], "depth, near is bright"),
        Strip([figure("", _with_points(s.image, found, n)) for n, s in enumerate(shown)], "points and landmarks"),
    ]


def _some_of_each() -> list[Rendered]:
    return [scenes.render(number) for scenes in (SHOWN, FIGURES, FACES) for number in range(COUNT // 3 + 1)][:COUNT]


def _with_points(image: Array, found: Judgement, number: int) -> Array:
    marked = image.copy()
    for judge, colour in (("pose", (255, 40, 40)), ("landmarks", (40, 200, 40))):
        for x, y, sure in found.points(judge)[number].tolist():
            column, row = round(x), round(y)
            if sure > 0.5 and 0 <= row < len(marked) and 0 <= column < marked.shape[1]:
                marked[row, column] = colour
    return marked


def _unet(models: Path) -> list[Strip]:
    model = LatentDiffusion.load(models)
    plain = [plain_caption(thing) for thing in single(COUNT)]
    told = [caption(SHOWN.scene(number)) for number in range(COUNT)]
    return [_strip(title, model.generate(words, SEED), words) for title, words in (("one", plain), ("scenes", told))]


def _inpainting(models: Path) -> list[Strip]:
    shown = emptied(range(COUNT))
    model = LatentDiffusion.load(models)
    made = inpainted(models, model, shown.pictures, shown.holes, 0 * model.noise(len(shown.pictures), SEED))
    return [
        _strip("with a hole", shown.pictures * (1 - shown.holes)),
        _strip("inpainted", made),
        _strip("by Telea's method", telea(shown.pictures, shown.holes)),
        _strip("what is behind", shown.behind),
    ]


def _classes(models: Path) -> list[Strip]:
    shapes = list(SHAPES)
    return [_strip("by class", class_pictures(models, LatentDiffusion.load(models), shapes, SEED), shapes)]


def _boxes(models: Path) -> list[Strip]:
    scenes = [PAIRS.scene(number) for number in range(COUNT)]
    asked = pixels([PAIRS.render(number) for number in range(COUNT)])
    made = box_pictures(models, LatentDiffusion.load(models), scenes, SEED)
    return [_strip("whose boxes", asked), _strip("from the boxes alone", made)]


def _reference(models: Path) -> list[Strip]:
    references = pixels([SINGLE.render(number) for number in range(COUNT)])
    made = reference_pictures(models, adapted(models), references, SEED)
    return [_strip("references", references), _strip("from them alone", made)]


def _faces(models: Path) -> list[Strip]:
    return [_strip("faces", face_pictures(models, COUNT, SEED))]


def _strip(title: str, pictures: Tensor, words: Sequence[str] = ()) -> Strip:
    labels = words or [""] * len(pictures)
    figures: list[Figure] = [figure(label, own) for label, own in zip(labels, to_bytes(pictures), strict=True)]
    return Strip(figures, title)


SAMPLES: dict[str, Callable[[Path], list[Strip]]] = {
    "vae": _autoencoder,
    "judges": _judges,
    "latent_judges": _latent_judges,
    "unet": _unet,
    "inpaint_unet": _inpainting,
    "unet_class": _classes,
    "unet_boxes": _boxes,
    "ip_adapter": _reference,
    "unet_face": _faces,
}
