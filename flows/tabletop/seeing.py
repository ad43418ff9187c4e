"""Figures of the parts that see: autoencoder, encoders, judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from sluice.flows.tabletop.figure import FACES, FIGURES, SHOWN, SINGLE, Figure, rendered
from sluice.inference.metrics.mean_iou import MeanIou
from sluice.inference.metrics.psnr import psnr
from sluice.inference.metrics.retrieval import retrieval
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.judges import Judgement, Judges
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import caption, plain_caption
from sluice.training.tabletop.identity import same_face
from sluice.training.tabletop.judges import truths
from sluice.training.tabletop.scenes import HELD_OUT, Scenes, pixels
from sluice.training.tabletop.text_encoder import WORDINGS, tokens_of

FEWEST = 100
NEAR = 3.0
"""Pixels of 64 within which a point counts as found."""


@torch.no_grad()
def measure_autoencoder(models: Path, scenes: int) -> list[Figure]:
    """PSNR of pictures after encoding and decoding."""
    vae: Any = load_network(AutoencoderKL, models, subfolder="vae", dtype=torch.float32)
    found = []
    for shown in rendered(SHOWN, scenes):
        wanted = pixels(shown)
        found.append(psnr(vae.decode(vae.encode(wanted).latent_dist.mode()).sample, wanted))
    return [Figure("vae", "PSNR, dB", float(torch.cat(found).mean()), f"{scenes} scenes", 25.0)]


@torch.no_grad()
def measure_text_encoder(models: Path, captions: int) -> list[Figure]:
    """How often a linear probe of the last token's state finds the shape in a caption, what U-Nets have to go by."""
    captions = max(captions, FEWEST)
    tokenizer = load(CLIPTokenizer, models, subfolder="tokenizer")
    text = load_network(CLIPTextModelWithProjection, models, subfolder="text_encoder").float()
    states, shapes = [], []
    for n in range(2 * captions):
        told = tokens_of(tokenizer, [caption(SINGLE.scene(n), n % WORDINGS)])
        states.append(text(told).last_hidden_state[0, -1].numpy())
        shapes += [thing.shape for thing in SINGLE.scene(n).things if isinstance(thing, Thing)]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(states[:captions], shapes[:captions])
    found = float(probe.score(states[captions:], shapes[captions:]))
    return [Figure("text_encoder", "shape found in its states by a linear probe", found, f"{captions} captions")]


@torch.no_grad()
def measure_image_encoder(models: Path, scenes: int) -> list[Figure]:
    """Retrieval among 100 captions of 100 scenes, at least once, and shapes named."""
    tokenizer = load(CLIPTokenizer, models, subfolder="tokenizer")
    text = load_network(CLIPTextModelWithProjection, models, subfolder="text_encoder").float()
    image = load_network(CLIPVisionModelWithProjection, models, subfolder="image_encoder").float()
    drawn, groups = Scenes(seed=HELD_OUT), -(-scenes // 100)
    found = []
    for group in range(groups):
        numbers = range(100 * group, 100 * (group + 1))
        shown = image(pixels([drawn.render(n) for n in numbers])).image_embeds
        told = text(tokens_of(tokenizer, [caption(drawn.scene(n)) for n in numbers])).text_embeds
        found.append(retrieval(shown, told))
    to_text, to_image = np.mean(found, axis=0)
    on, named = f"{groups} times 100 scenes", _named(tokenizer, text, image, scenes)
    return [
        Figure("image_encoder", "picture finds its caption among 100", float(to_text), on, 0.6),
        Figure("image_encoder", "caption finds its picture among 100", float(to_image), on),
        Figure("image_encoder", f"shape named among {len(SHAPES)}", named, f"{scenes} scenes"),
    ]


def _named(tokenizer: Any, text: Any, image: Any, scenes: int) -> float:
    """How often a picture of one object is nearest to its own caption, among those that differ by the shape alone."""
    right = []
    for first in range(0, scenes, 50):
        numbers = range(first, min(first + 50, scenes))
        things = [thing for n in numbers for thing in SINGLE.scene(n).things if isinstance(thing, Thing)]
        told = [plain_caption(replace(thing, shape=shape)) for thing in things for shape in SHAPES]
        captions = text(tokens_of(tokenizer, told)).text_embeds.unflatten(0, (len(things), len(SHAPES)))
        shown = image(pixels([SINGLE.render(n) for n in numbers])).image_embeds
        nearest = F.cosine_similarity(shown[:, None], captions, dim=2).argmax(dim=1)
        right += [list(SHAPES)[k] == thing.shape for k, thing in zip(nearest, things, strict=True)]
    return float(np.mean(right))


def measure_judges(models: Path, scenes: int) -> list[Figure]:
    """Classes, depth, points and landmarks, from pictures."""
    judges = Judges.load(models / "judges")
    return _measure_judges("judges", scenes, lambda pictures: judges(pictures), floor=0.75)


def measure_latent_judges(models: Path, scenes: int) -> list[Figure]:
    """The same from latents."""
    vae: Any = load_network(AutoencoderKL, models, subfolder="vae", dtype=torch.float32)
    judges = Judges.load(models / "latent_judges", scale=4)
    scaling = vae.config.scaling_factor
    return _measure_judges(
        "latent_judges", scenes, lambda pictures: judges(vae.encode(pictures).latent_dist.mode() * scaling)
    )


@torch.no_grad()
def _measure_judges(part: str, scenes: int, judge: Any, floor: float | None = None) -> list[Figure]:
    iou, depth = MeanIou(len(CLASSES)), []
    for shown in rendered(SHOWN, scenes):
        found, truth = judge(pixels(shown)), truths(shown)
        iou.add(found.classes().argmax(dim=1), truth["parser"])
        depth.append((found.depth()[:, 0] - truth["depth"]).abs().mean(dim=(1, 2)))
    figures = [
        Figure(part, "mean IoU of classes", iou.mean(), f"{scenes} scenes", floor),
        Figure(part, "depth error, m", float(torch.cat(depth).mean()), f"{scenes} scenes", lower=True),
    ]
    for name, of in (("pose", FIGURES), ("landmarks", FACES)):
        near = [_near(judge(pixels(shown)), truths(shown)[name], name) for shown in rendered(of, scenes)]
        told = f"{name} within {NEAR:g} pixels of 64"
        figures.append(Figure(part, told, float(torch.cat(near).mean()), f"{scenes} scenes"))
    return figures


def _near(found: Judgement, truth: Tensor, judge: str) -> Tensor:
    """1 for each point in sight that was found near its place, else 0."""
    apart = torch.linalg.vector_norm(found.points(judge)[..., :2] - truth[..., :2], dim=2)
    near: Tensor = apart[truth[..., 2] > 0] <= NEAR
    return near.float()


@torch.no_grad()
def measure_identity(models: Path, pairs: int) -> list[Figure]:
    """Area under the curve: a face against the same one in another scene, and against the next pair's."""
    network: Any = load_network(CLIPVisionModelWithProjection, models, subfolder="identity").float()
    shown = [same_face(FACES, 2 * number) for number in range(pairs)]
    one, other = (
        torch.nn.functional.normalize(network(pixels([pair[side] for pair in shown])).image_embeds, dim=1)
        for side in (0, 1)
    )
    same, different = (one * other).sum(dim=1), (one * other.roll(1, dims=0)).sum(dim=1)
    area = roc_auc_score([1] * pairs + [0] * pairs, torch.cat([same, different]).numpy())
    return [Figure("identity", "verification AUC", float(area), f"{pairs} pairs of each kind", 0.95)]
