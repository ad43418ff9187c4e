"""CnC's local fuser: two depths enter a clone of the U-Net's encoder by feature denormalisation (CnC, Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ControlNetModel, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

STEM = (32, 64, 64, 64)
LEVELS = (192, 256, 384, 512)
STABLE_DIFFUSION = (320, 640, 1280, 1280)
"""The widths of the U-Net that LEVELS are made for."""
NARROWEST = 32
STEM_SCALE = 4


class FeatureDenormalisation(nn.Module):
    """`GroupNorm(x) (1 + gamma(f)) + beta(f)` of a local feature f, in place of a norm's own affine map."""

    def __init__(self, norm: nn.GroupNorm, local: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm.num_groups, norm.num_channels, norm.eps, affine=False)
        self.gamma, self.beta = (nn.Conv2d(local, norm.num_channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, local: Tensor) -> Tensor:
        """Of `x` and `local` `(batch, channels, height, width)` of equal height and width."""
        denormalised: Tensor = self.norm(x) * (1 + self.gamma(local)) + self.beta(local)
        return denormalised


class LocalFuser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Features for a U-Net's skips and middle from the depths of a foreground and of a background.

    `controlnet`: the configuration of a diffusers one, whose encoder is the clone; `scale`: pixels for one latent,
    8 for Stable Diffusion; `channels`: of each image, 3 for depth and edges alike; `levels`: how wide the features are
    that enter each level of the clone.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self, controlnet: Mapping[str, Any], scale: int = 8, channels: int = 3, levels: Sequence[int] = LEVELS
    ) -> None:
        super().__init__()
        if scale not in {STEM_SCALE, 2 * STEM_SCALE}:
            raise ValueError(f"a local fuser sees {STEM_SCALE} or {2 * STEM_SCALE} pixels for one latent, not {scale}")
        self.encoder = ControlNetModel.from_config(dict(controlnet))
        del self.encoder.controlnet_cond_embedding  # nothing is added to the first layer
        levels = tuple(levels)[: len(self.encoder.down_blocks)]
        self.foreground, self.background = (_stem(channels) for _ in range(2))
        before = (2 * STEM[-1], *levels)
        strides = (scale // STEM_SCALE, *[2] * (len(levels) - 1))
        self.extractors = nn.ModuleList(
            nn.Conv2d(wide, wider, 3, stride, padding=1)
            for wide, wider, stride in zip(before, levels, strides, strict=False)
        )
        self.zeros = nn.ModuleList(_zeroed(nn.Conv2d(width, width, 3, padding=1)) for width in levels)
        for block, width in zip(self.encoder.down_blocks, levels, strict=True):
            first = block.resnets[0]
            first.norm1, first.norm2 = (FeatureDenormalisation(norm, width) for norm in (first.norm1, first.norm2))

    @classmethod
    def from_controlnet(cls, controlnet: Any, scale: int = 8, channels: int = 3) -> LocalFuser:
        """With the weights of a ControlNet, `ControlNetModel.from_unet(unet)` among them, for its clone.

        Its features are as wide beside those of the clone as the paper's are beside Stable Diffusion's.
        """
        plain = {name: value for name, value in controlnet.config.items() if not name.startswith("_")}
        fuser: LocalFuser = cls(plain, scale, channels, levels_for(controlnet.config.block_out_channels))
        fuser.encoder.load_state_dict(controlnet.state_dict(), strict=False)
        return fuser

    def forward(
        self,
        x: Tensor,
        t: Tensor | float,
        states: Tensor,
        foreground: Tensor,
        background: Tensor,
        attention: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        """A feature for each skip, finest first, and one for the middle.

        `x` are latents `(batch, 4, height, width)`, the images `(batch, channels, scale height, scale width)`, values 0
        to 1, zeros where one is dropped. Raises ValueError where their sizes do not belong together.
        """
        encoder, local_features = self.encoder, self.local_features(x, foreground, background)
        crossed = {"encoder_hidden_states": states, "cross_attention_kwargs": dict(attention or {})}
        time = encoder.time_embedding(encoder.time_proj(torch.as_tensor(t, device=x.device).expand(len(x))).to(x.dtype))
        x = encoder.conv_in(x)
        skips = [x]
        for block, local in zip(encoder.down_blocks, local_features, strict=True):
            for number, resnet in enumerate(block.resnets):
                x = resnet(x, time) if number else _denormalised(resnet, x, time, local)
                if hasattr(block, "attentions"):
                    x = block.attentions[number](x, **crossed, return_dict=False)[0]
                skips.append(x)
            for downsample in block.downsamplers or ():
                x = downsample(x)
                skips.append(x)
        x = encoder.mid_block(x, time, **crossed)
        zeroed = [own(skip) for own, skip in zip(encoder.controlnet_down_blocks, skips, strict=True)]
        return (*zeroed, encoder.controlnet_mid_block(x))

    def local_features(self, x: Tensor, foreground: Tensor, background: Tensor) -> list[Tensor]:
        """What enters each level of the clone, zero at first."""
        wanted = tuple(self.config.scale * side for side in x.shape[2:])
        for name, image in (("foreground", foreground), ("background", background)):
            if tuple(image.shape[2:]) != wanted:
                raise ValueError(
                    f"the {name} is {tuple(image.shape[2:])}; for latents of {tuple(x.shape[2:])} it is to be {wanted}"
                )
        local = torch.cat([self.foreground(foreground), self.background(background)], dim=1)
        found = []
        for extract, zero in zip(self.extractors, self.zeros, strict=True):
            local = F.silu(extract(local))
            found.append(zero(local))
        return found


def levels_for(widths: Sequence[int]) -> list[int]:
    """The widths of local features for a U-Net of these: LEVELS for Stable Diffusion's, in proportion for others."""
    proportions = zip(LEVELS, STABLE_DIFFUSION, widths, strict=False)
    return [max(NARROWEST, round(level * width / theirs / 8) * 8) for level, theirs, width in proportions]


def _denormalised(resnet: Any, x: Tensor, time: Tensor, local: Tensor) -> Tensor:
    """A ResNet block of diffusers whose two norms are denormalisations."""
    hidden = resnet.conv1(resnet.nonlinearity(resnet.norm1(x, local)))
    hidden = hidden + resnet.time_emb_proj(resnet.nonlinearity(time))[:, :, None, None]
    hidden = resnet.conv2(resnet.dropout(resnet.nonlinearity(resnet.norm2(hidden, local))))
    kept = x if resnet.conv_shortcut is None else resnet.conv_shortcut(x)
    made: Tensor = (kept + hidden) / resnet.output_scale_factor
    return made


def _stem(channels: int) -> nn.Module:
    """An image to 64 channels at a quarter of its size."""
    steps: list[nn.Module] = []
    for before, after, stride in zip((channels, *STEM), STEM, (1, 2, 1, 2), strict=False):
        steps += [nn.Conv2d(before, after, 3, stride, padding=1), nn.SiLU()]
    return nn.Sequential(*steps)


def _zeroed(convolution: nn.Conv2d) -> nn.Conv2d:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution
