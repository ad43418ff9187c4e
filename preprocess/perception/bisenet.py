"""Face parsing by BiSeNet (Yu et al., ECCV 2018), trained on CelebAMask-HQ: nineteen regions of a portrait."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sluice.preprocess.perception.unusable_weights import UnusableWeights

REGIONS = (
    "background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses", "left ear", "right ear",
    "earring", "nose", "mouth", "upper lip", "lower lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
"""Left and right are the person's own."""
INPUT = 512
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TRAINING_ONLY = ("conv_out16.", "conv_out32.")


class ConvBNReLU(nn.Module):
    """A convolution, normalised."""

    def __init__(self, incoming: int, width: int, side: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(incoming, width, side, padding=side // 2, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """ResNet's block of two convolutions."""

    def __init__(self, incoming: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(incoming, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        found = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(found + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """Features at an eighth, a sixteenth and a thirty-second of the picture's side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _layer(width, width, 1)
        self.layer2 = _layer(width, 2 * width, 2)
        self.layer3 = _layer(2 * width, 4 * width, 2)
        self.layer4 = _layer(4 * width, 8 * width, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.layer1(F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1))
        eighth = self.layer2(x)
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


def _layer(incoming: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Residual(incoming, width, stride), Residual(width, width, 1))


class AttentionRefinement(nn.Module):
    """Features weighed channel by channel, by what the whole picture has of them."""

    def __init__(self, incoming: int, width: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(incoming, width)
        self.conv_atten = nn.Conv2d(width, width, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv(x)
        weights = torch.sigmoid(self.bn_atten(self.conv_atten(_whole(found))))
        return found * weights


class ContextPath(nn.Module):
    """The body, and what it sees at its two coarsest depths, brought to an eighth of the side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resnet = ResNet18(width)
        self.arm16 = AttentionRefinement(4 * width, 2 * width)
        self.arm32 = AttentionRefinement(8 * width, 2 * width)
        self.conv_head32 = ConvBNReLU(2 * width, 2 * width)
        self.conv_head16 = ConvBNReLU(2 * width, 2 * width)
        self.conv_avg = ConvBNReLU(8 * width, 2 * width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, coarsest = self.resnet(x)
        coarse = self.arm32(coarsest) + self.conv_avg(_whole(coarsest))
        finer = self.arm16(sixteenth) + self.conv_head32(F.interpolate(coarse, size=sixteenth.shape[2:]))
        return eighth, self.conv_head16(F.interpolate(finer, size=eighth.shape[2:]))


class FeatureFusion(nn.Module):
    """Both paths as one, each channel up to doubled by what the whole picture has of it."""

    def __init__(self, incoming: int, width: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(incoming, width, 1)
        self.conv1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        found: Tensor = self.convblk(torch.cat([fine, coarse], dim=1))
        return found + found * torch.sigmoid(self.conv2(F.relu(self.conv1(_whole(found)))))


class Output(nn.Module):
    """The regions' logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(width, width)
        self.conv_out = nn.Conv2d(width, len(REGIONS), 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv_out(self.conv(x))
        return found


class BiSeNet(nn.Module):
    """Called on pictures `(batch, 3, height, width)`, values -1 to 1, logits `(batch, 19, height, width)` of REGIONS.

    It sees them at `size` pixels, and knows portraits: in a half-length picture it gets lost. `width` is that of the
    body's first layer, 64 in the published network.
    """

    def __init__(self, width: int = 64, size: int = INPUT) -> None:
        super().__init__()
        self.size = size
        self.cp = ContextPath(width)
        self.ffm = FeatureFusion(4 * width, 4 * width)
        self.conv_out = Output(4 * width)

    def forward(self, pictures: Tensor) -> Tensor:
        seen = F.interpolate(pictures, size=(self.size, self.size), mode="bilinear", antialias=True)
        mean, deviation = (seen.new_tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
        found = self.conv_out(self.ffm(*self.cp(((seen + 1) / 2 - mean) / deviation)))
        return F.interpolate(found, size=pictures.shape[2:], mode="bilinear", align_corners=True)


def _whole(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


def load_bisenet(path: Path, size: int = INPUT) -> BiSeNet:
    """From safetensors of the published state dict, frozen; the width is that of the file. Raises UnusableWeights."""
    try:
        state = {name: value for name, value in load_file(path).items() if not name.startswith(TRAINING_ONLY)}
        network = BiSeNet(len(state["cp.resnet.conv1.weight"]), size)
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise UnusableWeights(
            f"'{path}' does not hold BiSeNet's weights: expected safetensors with cp.resnet, ffm and conv_out "
            f"({str(error)[:200]}); pull 'face-parsing', or name another file"
        ) from error
    return network.eval().requires_grad_(False)
