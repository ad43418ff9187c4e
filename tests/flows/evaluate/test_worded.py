"""Likeness to words, by encoders of a family whose pictures are of another size than its image encoder's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from sluice.flows.evaluate.cases import cases, shown
from sluice.flows.evaluate.worded import text_similarity

SIDE = 32
MEAN, DEVIATION = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


@pytest.fixture
def family(untrained: Path, tmp_path: Path) -> Path:
    """With an image encoder for smaller pictures, of levels as CLIP has them."""
    place = Path(shutil.copytree(untrained, tmp_path / "family", copy_function=os.link))
    shutil.rmtree(place / "image_encoder")
    wide = CLIPVisionModelWithProjection.from_pretrained(untrained / "image_encoder").config.to_dict()
    torch.manual_seed(0)
    network = CLIPVisionModelWithProjection(CLIPVisionConfig(**wide | {"image_size": SIDE}))
    network.save_pretrained(place / "image_encoder")
    side = {"height": SIDE, "width": SIDE}
    told: dict[str, Any] = {"size": side, "do_center_crop": False, "image_mean": MEAN, "image_std": DEVIATION}
    CLIPImageProcessorPil(**told).save_pretrained(place / "image_encoder")
    return place


def test_pictures_are_seen_as_the_image_encoder_is_to_see_them(family: Path) -> None:
    some = cases("two", 3)
    pictures = shown(some, "image") * 2 - 1
    small = [
        np.asarray(Image.fromarray(np.rint(own.levels("image") * 255).astype(np.uint8)).resize((SIDE, SIDE), 3))
        for own in some
    ]
    levels = (np.stack(small) / 255 - MEAN) / DEVIATION
    network: Any = CLIPVisionModelWithProjection.from_pretrained(family / "image_encoder").eval()
    with torch.no_grad():
        seen = network(torch.from_numpy(levels).float().permute(0, 3, 1, 2)).image_embeds
    by_hand = torch.nn.functional.cosine_similarity(seen, wanted_of(family, [own.prompt for own in some]))
    torch.testing.assert_close(text_similarity(str(family)).of(pictures, some), by_hand, atol=1e-3, rtol=0)


def wanted_of(family: Path, prompts: list[str]) -> torch.Tensor:
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    network: Any = CLIPTextModelWithProjection.from_pretrained(family / "text_encoder", dtype=torch.float32).eval()
    tokens = CLIPTokenizer.from_pretrained(family / "tokenizer")(
        prompts, padding="max_length", truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        return torch.as_tensor(network(tokens.input_ids).text_embeds)
