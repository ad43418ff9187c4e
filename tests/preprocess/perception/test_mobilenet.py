from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sluice.preprocess.perception.mobilenet import MobileNet, names
from sluice.preprocess.perception.unusable_weights import UnusableWeights

STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 2), (6, 64, 2), (6, 96, 1), (6, 160, 2), (6, 320, 1))
REPEATS = (1, 2, 3, 4, 3, 3, 1)


class Residual(nn.Module):
    """The paper's inverted residual, written as torchvision names it."""

    def __init__(self, incoming: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = incoming * expansion
        wide = [layer(incoming, hidden, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *wide,
            layer(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        # The first block has as many channels in as out at this width alone, and no shortcut at any.
        self.shortcut = stride == 1 and incoming == width and expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)  # type: ignore[no-any-return]


def layer(incoming: int, width: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(incoming, width, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU6())


def narrow(width: int) -> int:
    """Of a quarter of the width, as a multiple of eight."""
    rounded = max(8, (width // 4 + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width / 4 else rounded


class Reference(nn.Module):
    """MobileNetV2 of width 0.25 with seven classes; the last layer stays as wide."""

    def __init__(self) -> None:
        super().__init__()
        blocks, incoming = [layer(3, 8, 3, 2)], 8
        for (expansion, width, stride), repeats in zip(STAGES, REPEATS, strict=True):
            for number in range(repeats):
                blocks.append(Residual(incoming, narrow(width), stride if number == 0 else 1, expansion))
                incoming = narrow(width)
        self.features = nn.Sequential(*blocks, layer(incoming, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 7))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def reference() -> Reference:
    torch.manual_seed(0)
    network = Reference().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.01, 0.1)
    return network.eval()


@pytest.fixture(scope="module")
def file(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mobilenet") / "mobilenet.safetensors"
    save_file(reference.state_dict(), path)
    return path


def test_it_is_the_paper_s_network_under_torchvisions_names(reference: Reference, file: Path) -> None:
    assert {theirs for _, theirs in names()} == set(reference.state_dict())
    shown = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wide = nn.functional.pad(shown, (16, 16, 16, 16))
    mean, deviation = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    wanted = reference(((shown + 1) / 2 - mean) / deviation)
    assert wanted.std() > 1e-3
    torch.testing.assert_close(MobileNet(file)(wide), wanted, rtol=1e-4, atol=1e-5)


def test_another_file_is_told(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UnusableWeights, match=r"other\.safetensors' does not hold MobileNetV2's weights"):
        MobileNet(tmp_path / "other.safetensors")


@pytest.mark.weights
def test_the_published_weights_know_espresso(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    espresso = 967
    shown = torch.from_numpy(data.coffee()).permute(2, 0, 1)[None] / 127.5 - 1
    assert MobileNet(real_weights("mobilenet-v2"))(shown).argmax().item() == espresso
