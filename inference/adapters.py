"""U-Nets with something of their own in their attention, on weights that they share with the one they are made of."""

from __future__ import annotations

import copy
from itertools import chain
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from sluice.infra.weights.pretrained import quiet
from sluice.training.networks.soft_guidance import Kind, SoftGuidance


def sharing_weights(network: Any) -> Any:
    """A network of its own whose parameters and buffers are those of another."""
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, shared)


def with_soft_guidance(network: Any, kind: Kind) -> Any:
    """One that attends by Compose and Conquer's regions, where it is given them (CnC, Sec. 3.3)."""
    own = sharing_weights(network)
    own.set_attn_processor(SoftGuidance(kind))
    return own


def with_ip_adapter(unet: Any, file: Path, scale: float = 1.0) -> Any:
    """A U-Net that sees a picture beside the text, by an IP-Adapter in the published format, so strongly as `scale`."""
    adapter: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(file).items():
        part, _, rest = name.partition(".")
        adapter[part][rest] = tensor.to(unet.device, unet.dtype)
    own = sharing_weights(unet)
    with quiet():  # it warns of a cast to the dtype that it has
        own._load_ip_adapter_weights([adapter])
    for processor in own.attn_processors.values():
        if hasattr(processor, "to_k_ip"):
            processor.scale = [scale]
    return own.requires_grad_(False)
