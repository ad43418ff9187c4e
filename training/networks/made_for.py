"""Whether a network that acts on a U-Net was made for that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTHS = ("block_out_channels", "layers_per_block", "cross_attention_dim", "in_channels")


def other_width(config: Mapping[str, Any], unet: Mapping[str, Any]) -> str | None:
    """The first width that a ControlNet's configuration has otherwise than a U-Net's, in words, if any."""
    for name in WIDTHS:
        own, wanted = (list(v) if isinstance(v, tuple | list) else v for v in (config.get(name), unet.get(name)))
        if own is not None and own != wanted:
            return f"was made for a U-Net whose {name} is {own}, and the base's is {wanted}"
    return None
