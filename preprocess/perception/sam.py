"""Segment Anything ("Segment Anything", Kirillov et al. 2023) from a state dict alone, whatever its encoder.

ViT-B, ViT-L, ViT-H, MobileSAM's TinyViT and small models made in tests all load by `load`: every size is read from the
names and shapes of the tensors. Networks are segment-anything's own, but for the TinyViT.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sluice.infra.weights.pickles import UnsafePickle, read_state
from sluice.preprocess.perception import tiny_vit
from sluice.preprocess.perception.torchvision_shim import standing_in
from sluice.preprocess.perception.unusable_weights import UnusableWeights

with standing_in():
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

State = Mapping[str, Tensor]
SUFFIXES = (".safetensors", ".pt", ".pth")
PATCH = 16  # pixels of the input image per token of the embedding, in every SAM
HEADS = 8  # of the mask decoder; no tensor's shape shows it, and every SAM has eight


class SamError(UnusableWeights):
    """A file is no SAM in segment-anything's or MobileSAM's naming."""


def load(path: Path, image_size: int | None = None) -> Any:
    """A `segment_anything.modeling.Sam` in evaluation mode, float32, from a `.safetensors`, `.pt` or `.pth` file.

    `path` may also be a folder with one such file. `image_size` is the side of the square that the network sees: given
    by the weights of a ViT, 1024 for MobileSAM unless said otherwise. Raises SamError where no such state dict is.
    """
    file = _only_file(path) if path.is_dir() else path
    return from_state(_read(file), image_size, str(file))


def _only_file(folder: Path) -> Path:
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise SamError(f"{folder} should hold one SAM, a file ending in {', '.join(SUFFIXES)}; found: {names}.")
    return found[0]


def _read(path: Path) -> State:
    try:
        state: State = read_state(path)
    except UnsafePickle as error:
        raise SamError(str(error)) from error
    return state


def from_state(state: State, image_size: int | None = None, origin: str = "the state dict") -> Any:
    """The same from a state dict in memory."""
    try:
        with torch.device("meta"):
            encoder = _encoder(_under(state, "image_encoder."), image_size)
            prompts = _prompt_encoder(_under(state, "prompt_encoder."), encoder.img_size)
            decoder = _mask_decoder(_under(state, "mask_decoder."))
        sam = Sam(encoder, prompts, decoder)
        floats = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
        sam.load_state_dict(floats, strict=True, assign=True)
    except (KeyError, ValueError, RuntimeError) as error:
        raise SamError(
            f"{origin} does not hold a SAM as segment-anything or MobileSAM name its tensors (image_encoder., "
            f"prompt_encoder., mask_decoder.): {error}. Give the original checkpoint, not a converted one."
        ) from error
    sam.eval().requires_grad_(False)
    if isinstance(encoder, tiny_vit.TinyViT):
        encoder.fold()
    return sam


def _under(state: State, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _count(state: State, prefix: str) -> int:
    """How many numbered children there are under a prefix such as `blocks.`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


def _encoder(state: State, image_size: int | None) -> Any:
    if "pos_embed" not in state:
        return tiny_vit.from_state(state, image_size or 1024)
    vit = _vit(state)
    if image_size not in (None, vit.img_size):
        raise ValueError(f"its encoder sees images of {vit.img_size} pixels; image_size {image_size} needs a MobileSAM")
    return vit


def _vit(state: State) -> Any:
    """The ViT: a block whose relative positions span the whole grid attends globally, the others within a window."""
    _, grid, _, width = state["pos_embed"].shape
    depth = _count(state, "blocks.")
    spans = [(state[f"blocks.{i}.attn.rel_pos_h"].shape[0] + 1) // 2 for i in range(depth)]
    return ImageEncoderViT(
        img_size=grid * state["patch_embed.proj.weight"].shape[-1],
        patch_size=state["patch_embed.proj.weight"].shape[-1],
        embed_dim=width,
        depth=depth,
        num_heads=width // state["blocks.0.attn.rel_pos_h"].shape[1],
        mlp_ratio=state["blocks.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=state["neck.0.weight"].shape[0],
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=min(spans),
        global_attn_indexes=tuple(i for i, span in enumerate(spans) if span == grid),
    )


def _prompt_encoder(state: State, image_size: int) -> nn.Module:
    encoder: nn.Module = PromptEncoder(
        embed_dim=state["no_mask_embed.weight"].shape[1],
        image_embedding_size=(image_size // PATCH, image_size // PATCH),
        input_image_size=(image_size, image_size),
        mask_in_chans=state["mask_downscaling.3.weight"].shape[0],
    )
    return encoder


def _mask_decoder(state: State) -> nn.Module:
    first = "transformer.layers.0."
    inner, width = state[first + "cross_attn_token_to_image.q_proj.weight"].shape
    transformer = TwoWayTransformer(
        depth=_count(state, "transformer.layers."),
        embedding_dim=width,
        num_heads=HEADS,
        mlp_dim=state[first + "mlp.lin1.weight"].shape[0],
        attention_downsample_rate=width // inner,
    )
    decoder: nn.Module = MaskDecoder(
        transformer_dim=width,
        transformer=transformer,
        num_multimask_outputs=state["mask_tokens.weight"].shape[0] - 1,
        iou_head_depth=_count(state, "iou_prediction_head.layers."),
        iou_head_hidden_dim=state["iou_prediction_head.layers.0.weight"].shape[0],
    )
    return decoder
