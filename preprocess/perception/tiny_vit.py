"""TinyViT, MobileSAM's image encoder ("TinyViT", Wu et al. 2022; "Faster Segment Anything", Zhang et al. 2023).

Names and shapes are those of MobileSAM's state dict, from which `from_state` reads every size. Four stages: the first
of convolutions at 1/4 of the image, then windowed attention at 1/8, 1/16 and again 1/16. Axes: B images, C channels,
H and W rows and columns, N tokens of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn, unflatten
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvNorm(nn.Module):
    """A convolution without bias, then batch normalisation; `fold` makes one convolution of the two."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.c(x))
        return normed

    def fold(self) -> None:
        if isinstance(self.bn, nn.BatchNorm2d):
            self.c = fuse_conv_bn_eval(self.c, self.bn)
            self.bn = nn.Identity()


class PatchEmbed(nn.Module):
    """Two strided convolutions: the image at a quarter of its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, width // 2, 3, 2), nn.GELU(), ConvNorm(width // 2, width, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.seq(x)
        return embedded


class MBConv(nn.Module):
    """Inverted bottleneck: widen, convolve each channel, narrow, add."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, hidden)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class PatchMerging(nn.Module):
    """From one stage to the next: new width, and half the resolution where stride is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs)
        self.conv2 = ConvNorm(outputs, outputs, 3, stride, groups=outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        merged: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return merged


def _distance_index(window: int) -> Tensor:
    """For tokens i, j of a window the index of (|rows|, |columns|) between them: `(N, N)`."""
    along = (torch.arange(window, device="cpu")[:, None] - torch.arange(window, device="cpu")[None, :]).abs()
    index = along[:, None, :, None] * window + along[None, :, None, :]
    return index.reshape(window**2, window**2)


class WindowAttention(nn.Module):
    """Attention within a window, with a learnt bias for every distance between two tokens."""

    distance: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))
        self.register_buffer("distance", _distance_index(window), persistent=False)

    def forward(self, x_BNC: Tensor) -> Tensor:
        qkv = unflatten(self.qkv(self.norm(x_BNC)), -1, (self.heads, 3, -1))
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=self.attention_biases[:, self.distance])
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return out


class WindowBlock(nn.Module):
    """Windowed attention, a 3 x 3 convolution of each channel, a feed-forward network."""

    def __init__(self, width: int, heads: int, window: int, hidden: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = Mlp(width, hidden)

    def _attend(self, x_BHWC: Tensor) -> Tensor:
        _, height, width, _ = x_BHWC.shape
        side = self.window
        padded = F.pad(x_BHWC, (0, 0, 0, -width % side, 0, -height % side))
        tiles = unflatten(unflatten(padded, 2, (-1, side)), 1, (-1, side)).transpose(2, 3)
        attended = self.attn(tiles.flatten(0, 2).flatten(1, 2))
        restored: Tensor = attended.reshape(tiles.shape).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return restored[:, :height, :width]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x = x_BCHW.permute(0, 2, 3, 1)
        x = x + self._attend(x)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = x + self.mlp(x)
        return out.permute(0, 3, 1, 2)


class Layer(nn.Module):
    """One stage: blocks, and the way to the next stage."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        if downsample is not None:
            self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return self.downsample(x) if hasattr(self, "downsample") else x


class LayerNorm2d(nn.Module):
    """Normalisation over the channels of every pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        rows = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return rows.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class StageShape:
    """One stage's sizes; `heads` and `window` are 0 in the first stage, which has no attention."""

    width: int
    depth: int
    hidden: int
    heads: int = 0
    window: int = 0


class TinyViT(nn.Module):
    """Images `(B, 3, img_size, img_size)`, normalised, to embeddings `(B, outputs, img_size / 16, img_size / 16)`."""

    def __init__(self, stages: Sequence[StageShape], outputs: int, classes: int, img_size: int = 1024) -> None:
        super().__init__()
        self.img_size = img_size
        last = len(stages) - 1
        self.patch_embed = PatchEmbed(stages[0].width)
        self.layers = nn.Sequential()
        for i, stage in enumerate(stages):
            # The last merge keeps the resolution: SAM's decoder expects embeddings at 1/16 of the image.
            merge = PatchMerging(stage.width, stages[i + 1].width, 1 if i + 1 == last else 2) if i < last else None
            self.layers.append(Layer([_block(stage) for _ in range(stage.depth)], merge))
        width = stages[-1].width
        self.norm_head, self.head = nn.LayerNorm(width), nn.Linear(width, classes)  # of pre-training, never called
        self.neck = nn.Sequential(
            nn.Conv2d(width, outputs, 1, bias=False),
            LayerNorm2d(outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            LayerNorm2d(outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = images.contiguous(memory_format=torch.channels_last)
        embedded: Tensor = self.neck(self.layers(self.patch_embed(x)))
        return embedded.contiguous()

    def fold(self) -> None:
        """Fold every batch normalisation into its convolution: the same function, fewer passes over memory."""
        for module in list(self.modules()):
            if isinstance(module, ConvNorm):
                module.fold()


def _block(stage: StageShape) -> nn.Module:
    if stage.heads == 0:
        return MBConv(stage.width, stage.hidden)
    return WindowBlock(stage.width, stage.heads, stage.window, stage.hidden)


def _stage_shape(state: Mapping[str, Tensor], i: int) -> StageShape:
    prefix = f"layers.{i}.blocks."
    depth = 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix))
    if f"{prefix}0.conv1.c.weight" in state:
        hidden, width = state[f"{prefix}0.conv1.c.weight"].shape[:2]
        return StageShape(width, depth, hidden)
    heads, distances = state[f"{prefix}0.attn.attention_biases"].shape
    hidden, width = state[f"{prefix}0.mlp.fc1.weight"].shape
    return StageShape(width, depth, hidden, heads, isqrt(distances))


def from_state(state: Mapping[str, Tensor], img_size: int = 1024) -> TinyViT:
    """The (empty) network that a state dict fits, sizes read from its names and shapes; `load_state_dict` fills it."""
    count = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
    stages = [_stage_shape(state, i) for i in range(count)]
    return TinyViT(stages, state["neck.0.weight"].shape[0], state["head.weight"].shape[0], img_size)
