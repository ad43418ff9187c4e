"""Small real models of the classes that the learned stages load, saved as the folders that users give."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.preprocess.record import Array, Record

TINY_WORDS = ["a", "cat", "on", "mat", "empty", "scenery", "photograph", "of", "low", "quality", "people", "no"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small lose time to threads, most of all beside other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_dpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPT of 64 x 64 pixels with its image processor."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    folder = tmp_path_factory.mktemp("dpt")
    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
        initializer_range=0.2,
    )
    DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP vision tower with an 8-dimensional projection, of 32 x 32 pixels, with its image processor."""
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=8,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    size, crop = {"shortest_edge": 32}, {"height": 32, "width": 32}
    CLIPImageProcessorPil(size=size, crop_size=crop).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_inpaint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion inpainting pipeline whose autoencoder shrinks by 2, with a tokenizer of twelve words."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("sd-inpaint")
    tokenizer = _tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=9,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def _tiny_tokenizer(folder: Path):  # type: ignore[no-untyped-def]
    """CLIP's byte-pair tokenizer over letters and `TINY_WORDS`; `from_pretrained` is what reads a vocabulary."""
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocabulary = letters + [letter + "</w>" for letter in letters]
    merges: list[str] = []
    for word in TINY_WORDS:
        left = word[0]
        for i, letter in enumerate(word[1:], start=1):
            right = letter + "</w>" if i == len(word) - 1 else letter
            if left + right not in vocabulary:
                merges.append(f"{left} {right}")
                vocabulary.append(left + right)
            left += right
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return CLIPTokenizer.from_pretrained(str(folder))


@pytest.fixture(scope="session")
def picture() -> Callable[..., Array]:
    """`picture(seed, height=64, width=64)`: smooth random colours, RGB uint8."""

    def make(seed: int, height: int = 64, width: int = 64) -> Array:
        import cv2

        coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
        image: Array = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return image

    return make


@pytest.fixture(scope="session")
def scene(picture: Callable[..., Array]) -> Callable[..., Record]:
    """`scene(seed, height=64, width=64)`: a record with image, caption, background and the mask of an ellipse."""

    def make(seed: int, height: int = 64, width: int = 64) -> Record:
        import cv2

        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, (width // 2, height // 3 + 3 * seed), (8 + seed, 6), 0, 0, 360, 255, -1)
        fields = {
            "jpg": picture(seed, height, width),
            "bg.jpg": picture(100 + seed, height, width),
            "mask.png": mask,
            "txt": " ".join(TINY_WORDS[seed % 5 : seed % 5 + 4]),
        }
        return Record(key=f"{seed:016x}", values=fields)

    return make
