"""Compose and Conquer's released checkpoint as our fusers: its names in, ours out; no number is changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sluice.infra.errors import SluiceError
from sluice.infra.weights.pickles import read_state
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser

LOCAL, GLOBAL = "local_adapter.", "global_adapter."
HEADS = 8
RESNET = {
    "norm_in.conv_": "norm1.",
    "norm_out.conv_": "norm2.",
    "in_layers.0.": "norm1.",
    "in_layers.2.": "conv1.",
    "emb_layers.1.": "time_emb_proj.",
    "out_layers.0.": "norm2.",
    "out_layers.3.": "conv2.",
    "skip_connection.": "conv_shortcut.",
}
PLAIN = (
    (r"time_embed\.0\.", "encoder.time_embedding.linear_1."),
    (r"time_embed\.2\.", "encoder.time_embedding.linear_2."),
    (r"input_blocks\.0\.0\.", "encoder.conv_in."),
    (r"zero_convs\.(\d+)\.0\.", r"encoder.controlnet_down_blocks.\1."),
    (r"middle_block_out\.0\.", "encoder.controlnet_mid_block."),
    (r"middle_block\.1\.", "encoder.mid_block.attentions.0."),
    (r"feature_extractor\.fg_extractor\.", "foreground."),
    (r"feature_extractor\.bg_extractor\.", "background."),
    (r"feature_extractor\.extractors\.(\d+)\.0\.", r"extractors.\1."),
    (r"feature_extractor\.zero_convs\.", "zeros."),
)
STREAMS = {"fg": "foreground", "bg": "background"}
PLACES = {"norm1": 0, "ff1": 1, "norm2": 2, "ff2": 3}


class NotReleased(SluiceError):
    """A checkpoint is not laid out as the released one."""


@dataclass(frozen=True)
class ReleasedFusers:
    """What a checkpoint holds: the local fuser, the global one, or both."""

    local: LocalFuser | None
    wide: GlobalFuser | None


def read_released(checkpoint: Path, heads: int = HEADS) -> ReleasedFusers:
    """The fusers in a checkpoint's file, safetensors or pickled. Raises UnsafePickle, NotReleased."""
    state = read_state(checkpoint)
    return from_released(state.get("state_dict", state), heads)


def from_released(state: Mapping[str, Tensor], heads: int = HEADS) -> ReleasedFusers:
    """The fusers in a checkpoint's state. Raises NotReleased where a name or a shape is not the release's."""
    local = {name.removeprefix(LOCAL): value for name, value in state.items() if name.startswith(LOCAL)}
    wide = {name.removeprefix(GLOBAL): value for name, value in state.items() if name.startswith(GLOBAL)}
    if not local and not wide:
        raise NotReleased(
            f"no name in this checkpoint begins with `{LOCAL}` or `{GLOBAL}`, as those of Compose and Conquer's do"
        )
    return ReleasedFusers(_local(local, heads) if local else None, _global(wide) if wide else None)


def _local(state: Mapping[str, Tensor], heads: int) -> LocalFuser:
    config = _controlnet_config(state, heads)
    with torch.device("meta"):
        fuser = LocalFuser(config, scale=8, channels=_shape(state, "feature_extractor.fg_extractor.0.weight")[1])
    filled: LocalFuser = _filled(fuser, {_local_name(name): value for name, value in state.items()})
    return filled


def _global(state: Mapping[str, Tensor]) -> GlobalFuser:
    width = _shape(state, "norm1_fg.weight")[0]
    with torch.device("meta"):
        fuser = GlobalFuser(width, _shape(state, "ff2_fg.net.2.weight")[0] // width)
    filled: GlobalFuser = _filled(fuser, {_global_name(name): value for name, value in state.items()})
    return filled


def _local_name(name: str) -> str:
    """Our name of one of its parameters; blocks are numbered three a level, the third of which halves the size."""
    for pattern, ours in PLAIN:
        if re.match(pattern, name):
            return re.sub(f"^{pattern}", ours, name)
    if found := re.match(r"middle_block\.([02])\.", name):
        return f"encoder.mid_block.resnets.{int(found[1]) // 2}.{_resnet(name[found.end() :])}"
    found = re.match(r"input_blocks\.(\d+)\.(\d)\.", name)
    if found is None:
        raise NotReleased(f"'{LOCAL}{name}' is no name of the released local fuser")
    level, place = divmod(int(found[1]) - 1, 3)
    rest, block = name[found.end() :], f"encoder.down_blocks.{level}."
    if rest.startswith("op."):
        return f"{block}downsamplers.0.conv.{rest.removeprefix('op.')}"
    return f"{block}attentions.{place}.{rest}" if found[2] == "1" else f"{block}resnets.{place}.{_resnet(rest)}"


def _resnet(name: str) -> str:
    for theirs, ours in RESNET.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    raise NotReleased(f"'{name}' is no part of a ResNet block of the released local fuser")


def _global_name(name: str) -> str:
    found = re.match(r"(norm1|ff1|norm2|ff2)_(fg|bg)\.", name)
    if found is None:
        raise NotReleased(f"'{GLOBAL}{name}' is no name of the released global fuser")
    return f"{STREAMS[found[2]]}.{PLACES[found[1]]}.{name[found.end() :]}"


def _controlnet_config(state: Mapping[str, Tensor], heads: int) -> dict[str, Any]:
    """The clone's, read off the shapes; Stable Diffusion's number of heads cannot be."""
    last = max(int(found[1]) for name in state if (found := re.match(r"input_blocks\.(\d+)\.", name)))
    levels = range(-(-last // 3))
    attends = [f"input_blocks.{3 * level + 1}.1.norm.weight" in state for level in levels]
    return {
        "block_out_channels": [
            _shape(state, f"input_blocks.{3 * level + 1}.0.in_layers.2.weight")[0] for level in levels
        ],
        "down_block_types": ["CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends],
        "layers_per_block": 2,
        "cross_attention_dim": _shape(state, "middle_block.1.transformer_blocks.0.attn2.to_k.weight")[1],
        "attention_head_dim": heads,
    }


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    if name not in state:
        raise NotReleased(f"the checkpoint lacks '{name}', from which the size of its network is read")
    return tuple(state[name].shape)


def _filled(fuser: Any, state: Mapping[str, Tensor]) -> Any:
    """Raises NotReleased for what is missing, left over or of another shape."""
    wanted = {name: tuple(value.shape) for name, value in fuser.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        first = wrong[0]
        raise NotReleased(
            f"{len(wrong)} parameters are not the release's (first: {first}, {given.get(first)} where "
            f"{wanted.get(first)} was expected)"
        )
    fuser.load_state_dict(state, assign=True)
    return fuser.eval()
