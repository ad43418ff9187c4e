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


def united(
    models: Sequence[Node], weights: float | Sequence[float], reliabilities: Sequence[float] | None = None
) -> Node:
    """Several models of one weight, or each of its own, relied on equally unless told otherwise."""
    own = [weights] * len(models) if isinstance(weights, float | int) else weights
    each = zip(models, own, reliabilities or [1.0] * len(models), strict=True)
    told = [{"model": model, "weight": weight, "reliability": share} for model, weight, share in each]
    return {"kind": "unite", "models": told}
