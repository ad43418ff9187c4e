"""Small random SAMs of the real classes, whose masks are blobs and not noise, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from sluice.preprocess.perception import sam, tiny_vit


def random_sam(image_size: int = 128, seed: int = 0) -> Any:
    """A SAM with two ViT blocks, one within windows, of an embedding of 32 channels."""
    torch.manual_seed(seed)
    grid = image_size // 16
    encoder = sam.ImageEncoderViT(
        img_size=image_size,
        embed_dim=32,
        depth=2,
        num_heads=2,
        out_chans=32,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    return _around(encoder, image_size, grid)


def random_mobile_sam(image_size: int = 128, seed: int = 0) -> Any:
    """The same with a TinyViT of the four stages that MobileSAM's has."""
    torch.manual_seed(seed)
    stages = [
        tiny_vit.StageShape(8, 1, 16),
        tiny_vit.StageShape(16, 1, 32, 2, 5),
        tiny_vit.StageShape(16, 2, 32, 4, 3),
        tiny_vit.StageShape(24, 1, 48, 2, 3),
    ]
    return _around(tiny_vit.TinyViT(stages, outputs=32, classes=5, img_size=image_size), image_size, image_size // 16)


def _around(encoder: nn.Module, image_size: int, grid: int) -> Any:
    prompts = sam.PromptEncoder(32, (grid, grid), (image_size, image_size), 16)
    transformer = sam.TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=8)
    made = sam.Sam(
        encoder, prompts, sam.MaskDecoder(transformer_dim=32, transformer=transformer, iou_head_hidden_dim=32)
    )
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            if name.endswith(("rel_pos_h", "rel_pos_w", "pos_embed", "attention_biases")):
                tensor.normal_()  # segment-anything starts them at zero, where no mistake would show
            if name.endswith(("running_mean", "bn.bias", "running_var")):
                tensor.uniform_(0.5, 1.5)
            if "mask_decoder.transformer" in name and name.endswith(("q_proj.weight", "k_proj.weight")):
                tensor.mul_(6)  # attention that attends to something, so that masks differ from point to point
            if "iou_prediction_head" in name:
                tensor.mul_(2)
    return made.eval()


def save(made: Any, path: Path) -> Path:
    """The state dict as `.safetensors` or, by its suffix, as torch saves it."""
    if path.suffix == ".safetensors":
        save_file(made.state_dict(), path)
    else:
        torch.save(made.state_dict(), path)
    return path
