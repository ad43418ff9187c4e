"""How near pictures are to what is said of them, by the family's own text and image encoders."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.clip import clip_distance, clip_similarity
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.clip import ImageEncoder
from sluice.training.tabletop.text_encoder import tokens_of

SIMILARITY = "CLIP similarity"
AT_ONCE = 32
Said = Callable[[Case], str]


def text_distance(base: str, said: Said) -> Obeyed:
    """What Z-Magic calls text distance, of what is said of a case."""
    return Obeyed("CLIP text distance", "1 - cosine", "lower", _by(clip_distance, base, said))


def text_similarity(base: str) -> Obeyed:
    """CLIPScore over 100, to a case's prompt."""
    return Obeyed(SIMILARITY, "cosine", "higher", _by(clip_similarity, base, lambda case: case.prompt))


def embeds(base: str) -> bool:
    """Whether a family's text and image encoders have embeddings to compare, as those of plain pipelines have not."""
    family = found(base).path
    told = json.loads((family / "text_encoder" / "config.json").read_text()).get("architectures") or []
    return CLIPTextModelWithProjection.__name__ in told and (family / "image_encoder").is_dir()


def _by(metric: Callable[[Tensor, Tensor], Tensor], base: str, said: Said) -> Callable[[Tensor, list[Case]], Tensor]:
    family = found(base).path
    tokenizer = load(CLIPTokenizer, family, subfolder="tokenizer")
    told: Any = load_network(CLIPTextModelWithProjection, family, subfolder="text_encoder", dtype=torch.float32)
    seen = ImageEncoder(family / "image_encoder", torch.device("cpu"), torch.float32, AT_ONCE)

    @torch.no_grad()
    def measure(pictures: Tensor, some: list[Case]) -> Tensor:
        wanted = told(tokens_of(tokenizer, list(map(said, some)))).text_embeds
        shown = torch.from_numpy(np.stack(seen(list(to_bytes(pictures)))))
        return metric(shown.to(wanted.dtype), wanted)

    return measure
