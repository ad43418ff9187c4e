"""CLIP's two encoders: an image's projected embedding, and a caption's token states as Stable Diffusion reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch


class ImageEncoder:
    """CLIP's vision tower with its projection, called on RGB uint8 images `(height, width, 3)`.

    It returns one float16 vector an image (768 numbers for ViT-L/14), projected and *not* normalised: what the global
    fuser of Compose and Conquer was trained on (CnC, Sec. 3.3 and its released code).
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, batch_size: int = 1) -> None:
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.network = load_network(CLIPVisionModelWithProjection, folder, dtype=dtype).to(device)
        self.device, self.dtype, self.batch_size = device, dtype, batch_size

    def __call__(self, images: Sequence[Array]) -> list[Array]:
        prepared = [
            np.asarray(self.processor(images=image, input_data_format="channels_last")["pixel_values"][0], np.float32)
            for image in images
        ]
        return in_batches(prepared, self.batch_size, lambda batch, _: self._embed(batch))

    def _embed(self, batch: Array) -> Array:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(self.device, self.dtype)
            return _half(self.network(pixel_values=pixels).image_embeds)


class TextEncoder:
    """The tokenizer and text encoder of a Stable Diffusion folder (subfolders `tokenizer`, `text_encoder`).

    Called on captions, it returns one float16 array `(tokens, width)` a caption, the encoder's last hidden state (77 x
    768 for Stable Diffusion 1.5). Captions are padded, or cut, to the tokenizer's length.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, batch_size: int = 1) -> None:
        from transformers import CLIPTextModel, CLIPTokenizer

        self.tokenizer: Any = load(CLIPTokenizer, folder, subfolder="tokenizer")
        self.network = load_network(CLIPTextModel, folder, subfolder="text_encoder", dtype=dtype).to(device)
        self.tokens = min(self.tokenizer.model_max_length, self.network.config.max_position_embeddings)
        self.device, self.batch_size = device, batch_size

    def __call__(self, captions: Sequence[str]) -> list[Array]:
        encoded = self.tokenizer(list(captions), padding="max_length", max_length=self.tokens, truncation=True)
        tokens = [np.asarray(ids, np.int64) for ids in encoded["input_ids"]]
        return in_batches(tokens, self.batch_size, lambda batch, _: self._encode(batch))

    def _encode(self, batch: Array) -> Array:
        import torch

        with torch.inference_mode():
            return _half(self.network(input_ids=torch.from_numpy(batch).to(self.device)).last_hidden_state)


def _half(states: torch.Tensor) -> Array:
    array: Array = states.float().cpu().numpy().astype(np.float16)
    return array
