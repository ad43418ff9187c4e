"""`python -m tests.benchmarks.flops`: operations an image of the default networks, counted by torch without computing.

The networks have shapes and no weights. Those that run in ONNX Runtime (pose, mask) are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from diffusers.models import AutoencoderKL, UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, CLIPVisionModel, DPTConfig, DPTForDepthEstimation

from sluice.preprocess.perception import sam_decoder
from sluice.preprocess.perception.hed import Hed
from sluice.preprocess.perception.tiny_vit import StageShape, TinyViT
from sluice.preprocess.perception.torchvision_shim import standing_in
from sluice.preprocess.stages.background import BackgroundParameters
from sluice.preprocess.stages.segments import SegmentsParameters

with standing_in():
    from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

SIDE, LATENT, WIDTH, GRID = 512, 64, 256, 64
MOBILE = (
    StageShape(64, 2, 256),
    StageShape(128, 2, 512, 4, 7),
    StageShape(160, 6, 640, 5, 14),
    StageShape(320, 2, 1280, 10, 7),
)


class Sam(nn.Module):
    """MobileSAM's parts, as `perception.sam` puts them together."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = TinyViT(MOBILE, WIDTH, 1000)
        self.prompt_encoder = PromptEncoder(WIDTH, (GRID, GRID), (1024, 1024), 16)
        transformer = TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=2048, num_heads=8)
        self.mask_decoder = MaskDecoder(transformer_dim=WIDTH, transformer=transformer)


def of(call: Callable[[], object]) -> float:
    """Operations in 10^9; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 1e9


def counted() -> Iterator[tuple[str, float]]:
    """By stage, for an image of 512 x 512 and each network's own input size."""
    calls: dict[str, Callable[[], float]] = {
        "segments, encoder": lambda: _run(Sam().image_encoder, torch.empty(1, 3, 1024, 1024)),
        "segments, points": lambda: _points(SegmentsParameters(model="mobile-sam").points_per_side ** 2),
        "hed": lambda: _run(Hed(), torch.empty(1, 3, SIDE, SIDE)),
        "depth": lambda: _run(DPTForDepthEstimation(_dpt()), torch.empty(1, 3, 384, 384)),
        "clip": lambda: _run(CLIPVisionModel(_clip()), torch.empty(1, 3, 224, 224)),
        "latent": lambda: _run(_vae().encoder, torch.empty(1, 3, SIDE, SIDE)),
        "U-Net, forward": lambda: _unet(4),
        "background": lambda: _background(BackgroundParameters(model="sd15-inpaint").steps),
    }
    for stage, call in calls.items():
        yield stage, round(call(), 1)


def _run(network: nn.Module, *inputs: torch.Tensor) -> float:
    frozen = network.requires_grad_(False)
    return of(lambda: frozen(*inputs))


def _points(count: int) -> float:
    """One is computed, as its encoder looks at values."""
    with torch.device("cpu"):
        sam = Sam().requires_grad_(False)
        shared = sam_decoder.share(sam, torch.zeros(1, WIDTH, GRID, GRID))
        return count * of(lambda: sam_decoder.predict(sam, shared, torch.zeros(1, 1, 2)))


def _dpt() -> DPTConfig:
    return DPTConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        backbone_out_indices=[5, 11, 17, 23],
        neck_hidden_sizes=[256, 512, 1024, 1024],
    )


def _clip() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        patch_size=14,
        projection_dim=768,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
    )


def _unet(channels: int) -> float:
    unet = UNet2DConditionModel(in_channels=channels, cross_attention_dim=768, attention_head_dim=8, sample_size=LATENT)
    return _run(unet, torch.empty(1, channels, LATENT, LATENT), torch.zeros(1), torch.empty(1, 77, 768))


def _background(steps: int) -> float:
    """Guidance calls the U-Net twice a step; the image is encoded twice, whole and masked, and decoded once."""
    vae = _vae()
    encode = _run(vae.encoder, torch.empty(1, 3, SIDE, SIDE))
    return 2 * steps * _unet(9) + 2 * encode + _run(vae.decoder, torch.empty(1, 4, LATENT, LATENT))


if __name__ == "__main__":
    with torch.device("meta"):
        for stage, operations in counted():
            print(f"{stage}: {operations} * 10^9", flush=True)
