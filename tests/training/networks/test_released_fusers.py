"""The released layout, name by name and shape by shape as its own code makes it, read as our fusers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.infra.weights.pickles import UnsafePickle
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.released_fusers import NotReleased, from_released

SD = (320, 640, 1280, 1280)
INJECTED = (192, 256, 384, 512)
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def affine(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def convolution(name: str, before: int, after: int, side: int) -> Shapes:
    yield f"{name}.weight", (after, before, side, side)
    yield f"{name}.bias", (after,)


def linear(name: str, before: int, after: int, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (after, before)
    if bias:
        yield f"{name}.bias", (after,)


def resnet(name: str, before: int, after: int, time: int, injected: int | None) -> Shapes:
    for place, norm, width in (("in", "in_layers.0", before), ("out", "out_layers.0", after)):
        if injected is None:
            yield from affine(f"{name}.{norm}", width)
        else:
            for map_ in ("gamma", "beta"):
                yield from convolution(f"{name}.norm_{place}.conv_{map_}", injected, width, 3)
    yield from convolution(f"{name}.in_layers.2", before, after, 3)
    yield from linear(f"{name}.emb_layers.1", time, after)
    yield from convolution(f"{name}.out_layers.3", after, after, 3)
    if before != after:
        yield from convolution(f"{name}.skip_connection", before, after, 1)


def transformer(name: str, width: int, context: int) -> Shapes:
    yield from affine(f"{name}.norm", width)
    for end in ("in", "out"):
        yield from convolution(f"{name}.proj_{end}", width, width, 1)
    block = f"{name}.transformer_blocks.0"
    for attention, keys in (("attn1", width), ("attn2", context)):
        for part, before in (("q", width), ("k", keys), ("v", keys)):
            yield from linear(f"{block}.{attention}.to_{part}", before, width, bias=False)
        yield from linear(f"{block}.{attention}.to_out.0", width, width)
    yield from linear(f"{block}.ff.net.0.proj", width, 8 * width)
    yield from linear(f"{block}.ff.net.2", 4 * width, width)
    for norm in ("norm1", "norm2", "norm3"):
        yield from affine(f"{block}.{norm}", width)


def local(widths: tuple[int, ...], context: int) -> Shapes:
    first, time = widths[0], 4 * widths[0]
    yield from linear("time_embed.0", first, time)
    yield from linear("time_embed.2", time, time)
    yield from convolution("input_blocks.0.0", 4, first, 3)
    yield from convolution("zero_convs.0.0", first, first, 1)
    number, before = 1, first
    for level, width in enumerate(widths):
        for place in range(2):
            injected = INJECTED[level] if place == 0 else None
            yield from resnet(f"input_blocks.{number}.0", before, width, time, injected)
            if level < len(widths) - 1:
                yield from transformer(f"input_blocks.{number}.1", width, context)
            yield from convolution(f"zero_convs.{number}.0", width, width, 1)
            number, before = number + 1, width
        if level < len(widths) - 1:
            yield from convolution(f"input_blocks.{number}.0.op", width, width, 3)
            yield from convolution(f"zero_convs.{number}.0", width, width, 1)
            number += 1
    for place in (0, 2):
        yield from resnet(f"middle_block.{place}", before, before, time, None)
    yield from transformer("middle_block.1", before, context)
    yield from convolution("middle_block_out.0", before, before, 1)
    for stream in ("fg", "bg"):
        for place, (a, b) in enumerate(((3, 32), (32, 64), (64, 64), (64, 64))):
            yield from convolution(f"feature_extractor.{stream}_extractor.{2 * place}", a, b, 3)
    for level, (a, b) in enumerate(zip((128, *INJECTED), INJECTED[: len(widths)], strict=False)):
        yield from convolution(f"feature_extractor.extractors.{level}.0", a, b, 3)
        yield from convolution(f"feature_extractor.zero_convs.{level}", b, b, 3)


def wide(width: int) -> Shapes:
    for stream in ("fg", "bg"):
        yield from affine(f"norm1_{stream}", width)
        yield from affine(f"norm2_{stream}", 2 * width)
        yield from linear(f"ff1_{stream}.net.0.proj", width, 8 * width)
        yield from linear(f"ff1_{stream}.net.2", 4 * width, 2 * width)
        yield from linear(f"ff2_{stream}.net.0.proj", 2 * width, 16 * width)
        yield from linear(f"ff2_{stream}.net.2", 8 * width, 4 * width)


def released(widths: tuple[int, ...], context: int, device: str = "cpu") -> dict[str, Tensor]:
    names = {f"local_adapter.{name}": shape for name, shape in local(widths, context)}
    names |= {f"global_adapter.{name}": shape for name, shape in wide(context)}
    names["model.diffusion_model.out.2.bias"] = (4,)  # the frozen U-Net lies beside them
    torch.manual_seed(0)
    return {name: torch.randn(shape, device=device) * 0.02 for name, shape in names.items()}


def test_every_parameter_of_stable_diffusions_size_has_its_place() -> None:
    state = released(SD, 768, device="meta")
    found = from_released(state)
    assert found.local is not None
    assert found.wide is not None
    count = sum(p.numel() for network in (found.local, found.wide) for p in network.parameters())
    assert count == sum(value.numel() for name, value in state.items() if "_adapter." in name)


def test_numbers_are_those_of_the_checkpoint() -> None:
    state = released((32, 64), 8)
    found = from_released(state, heads=4)
    assert found.local is not None
    assert found.wide is not None
    ours = found.local.state_dict() | found.wide.state_dict()
    for theirs, name in {
        "local_adapter.input_blocks.4.0.norm_out.conv_beta.bias": "encoder.down_blocks.1.resnets.0.norm2.beta.bias",
        "local_adapter.input_blocks.2.0.out_layers.0.weight": "encoder.down_blocks.0.resnets.1.norm2.weight",
        "local_adapter.input_blocks.3.0.op.weight": "encoder.down_blocks.0.downsamplers.0.conv.weight",
        "local_adapter.middle_block.2.in_layers.2.weight": "encoder.mid_block.resnets.1.conv1.weight",
        "local_adapter.feature_extractor.bg_extractor.6.weight": "background.6.weight",
        "global_adapter.ff2_bg.net.2.bias": "background.3.net.2.bias",
    }.items():
        assert torch.equal(ours[name], state[theirs]), theirs
    x, image = torch.randn(1, 4, 8, 8), torch.rand(1, 3, 64, 64)
    assert len(found.local(x, 10, torch.randn(1, 3, 8), image, image)) == 7


def test_the_command_reads_a_pickled_training_checkpoint(tmp_path: Path) -> None:
    torch.save({"state_dict": released((32, 64), 8), "global_step": 3}, tmp_path / "cnc.ckpt")
    done = CliRunner().invoke(app, ["models", "convert", str(tmp_path / "cnc.ckpt"), "--to", str(tmp_path / "cnc")])
    assert done.exit_code == 0, done.output
    LocalFuser.from_pretrained(tmp_path / "cnc/local")
    GlobalFuser.from_pretrained(tmp_path / "cnc/global")


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cnc.ckpt").write_bytes(b"nothing of the kind")
    done = CliRunner().invoke(app, ["models", "convert", str(tmp_path / "cnc.ckpt"), "--to", str(tmp_path / "cnc")])
    assert isinstance(done.exception, UnsafePickle)
    assert "cnc.ckpt is refused: it is no checkpoint of tensors alone" in str(done.exception)


def test_what_is_not_the_release_is_refused() -> None:
    state = released((32, 64), 8)
    with pytest.raises(NotReleased, match="no name in this checkpoint begins with"):
        from_released({"weight": torch.ones(1)})
    with pytest.raises(NotReleased, match="is no name of the released local fuser"):
        from_released({**state, "local_adapter.extra": torch.ones(1)})
    lacking = {name: value for name, value in state.items() if not name.endswith("zero_convs.1.bias")}
    with pytest.raises(NotReleased, match=r"1 parameters .*first: zeros.1.bias, None where \(256,\)"):
        from_released(lacking)
