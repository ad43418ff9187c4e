"""The parts of jobs' trees that all protocols are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]


def text(base: str, prompt: str | None = None) -> Node:
    """The base under a prompt, the case's own unless given."""
    return {"kind": "base", "model": base, "prompt": prompt}


def guided(model: Node, scale: float) -> Node:
    """One model, guided."""
    return {"kind": "guided", "scale": scale, "model": model}


def plain(denoiser: Node, eta: float = 0.0) -> Node:
    """Plain steps, deterministic (eta 0) to ancestral (1)."""
    return {"kind": "ddim", "of": denoiser, "eta": eta}


def united(models: Sequence[Node], weight: float, reliabilities: Sequence[float] | None = None) -> Node:
    """Several models of one weight, relied on equally unless told otherwise."""
    shares = reliabilities or [1.0] * len(models)
    told = [{"model": own, "weight": weight, "reliability": share} for own, share in zip(models, shares, strict=True)]
    return {"kind": "unite", "models": told}
