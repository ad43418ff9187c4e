"""Metrics that no library has as they are meant here, over random pictures: told in pictures a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sluice.inference.metrics.asymmetry import asym, probed
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.front import front_accuracy
from sluice.inference.metrics.instances import RANGES, Instance, instance_score, instance_success_rate
from sluice.inference.metrics.landmarks import landmark_error
from sluice.inference.metrics.localisation import localisation_similarity
from sluice.inference.metrics.lpips import lpips
from sluice.inference.metrics.niqe import Pristine, niqe
from sluice.inference.metrics.pose import OPENPOSE_SIGMAS, oks, pck
from sluice.inference.metrics.retrieval import retrieval
from sluice.inference.metrics.style import style_distance
from sluice.infra.weights.models import find
from sluice.preprocess.perception.vgg import load_lpips

EDGES = 0.1
"""The share of pixels that are edges."""
CHANNELS, LATENT = 4, 32
Measures = dict[str, Callable[[], Any]]


def without_rival(generator: torch.Generator, count: int, width: int) -> Measures:
    """Each of `count` pictures, `width` pixels a side; networks that metrics are told are next to none here."""
    return {
        **_of_pictures(generator, count, width),
        **_of_points(generator, count, width),
        **_of_parts(generator, count, width),
    }


def _of_pictures(generator: torch.Generator, count: int, width: int) -> Measures:
    made, true = torch.rand(2, count, 3, width, width, generator=generator) * 2 - 1
    edges, wanted = torch.rand(2, count, width, width, generator=generator) < EDGES
    features, others = torch.randn(2, count, 32 * CHANNELS, width // 4, width // 4, generator=generator)
    vgg, alex = (load_lpips(find(name).path) for name in ("lpips-vgg", "lpips-alex"))
    pristine = Pristine.load(find("niqe").path)
    return {
        "LPIPS (VGG-16)": lambda: lpips(vgg, made, true),
        "LPIPS (AlexNet)": lambda: lpips(alex, made, true),
        "NIQE": lambda: niqe(made, pristine),
        "edge F1": lambda: edge_f1(edges, wanted),
        "style distance": lambda: style_distance(features, others),
    }


def _of_points(generator: torch.Generator, count: int, width: int) -> Measures:
    points, asked = torch.rand(2, count, len(OPENPOSE_SIGMAS), 3, generator=generator) * width
    size = torch.full((count,), float(width))
    return {
        "PCK": lambda: pck(points, asked, size),
        "OKS": lambda: oks(points, asked, size**2, OPENPOSE_SIGMAS),
        "landmark error": lambda: landmark_error(points, asked, width),
    }


def _of_parts(generator: torch.Generator, count: int, width: int) -> Measures:
    pictures = torch.rand(count, 3, width, width, generator=generator) * 2 - 1
    masks = torch.rand(count, width, width, generator=generator) < 0.5
    labels = torch.randint(0, 2, (count, width, width), generator=generator)
    front, behind = torch.zeros(count, dtype=torch.int64), torch.ones(count, dtype=torch.int64)
    images, texts = torch.randn(2, count, 128 * CHANNELS, generator=generator)
    latents = torch.randn(count, CHANNELS, LATENT, LATENT, generator=generator)
    network = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
    levels = [own.permute(1, 2, 0).numpy() for own in ((pictures + 1) * 127.5).to(torch.uint8)]
    box = (0.0, 0.0, float(width), float(width))
    instance, everywhere = Instance("ball", next(iter(RANGES)), box), np.ones((width, width), bool)

    def colours(pictures: Tensor) -> Tensor:
        return pictures.mean(dim=(2, 3))

    def scored() -> Tensor:
        found = [instance_score(own, instance, lambda _: np.array([box]), lambda _: everywhere) for own in levels]
        return instance_success_rate(found)

    exemplars = colours(pictures)
    return {
        "instance success": scored,
        "front accuracy": lambda: front_accuracy(labels, masks, front, behind),
        "localisation similarity": lambda: localisation_similarity(colours, pictures, masks, exemplars, exemplars),
        "retrieval": lambda: retrieval(images, texts),
        "Asym": lambda: asym(probed(network, latents)),
    }
