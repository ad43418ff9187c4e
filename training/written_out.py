"""Operations whose derivatives have right derivatives, in place of torch's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode


class differentiable_twice(TorchFunctionMode):
    """Within it, derivatives of derivatives exist and are right: LayerNorm and attention are written out.

    torch keeps the mean and deviation of its own LayerNorm as constants there: the values are right, and the gradients
    through them some per cent off. Fused attention has no second derivative at all.
    """

    entered = 0

    def __enter__(self) -> Any:
        differentiable_twice.entered += 1
        return super().__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *error: Any) -> None:
        differentiable_twice.entered -= 1
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))


def checkpoint(function: Callable[..., Any], *inputs: Any) -> Any:
    """`torch.utils.checkpoint`, whose second run of a function, in a backward pass, is as the first was.

    For `enable_gradient_checkpointing(checkpoint)`. Raises ValueError in forward mode, whose tangents are gone by then.
    """
    if any(isinstance(given, Tensor) and _is_dual(given) for given in inputs):
        raise ValueError("a checkpointed network has no forward mode: use by_double_backward or by_differences")

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), differentiable_twice() if differentiable_twice.entered else nullcontext()

    return torch.utils.checkpoint.checkpoint(function, *inputs, use_reentrant=False, context_fn=contexts)


def _is_dual(tensor: Tensor) -> bool:
    return forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.layer_norm` in elementary operations."""
    axes = tuple(range(-len(normalized_shape), 0))
    centred = input - input.mean(dim=axes, keepdim=True)
    scaled = centred * (centred.square().mean(dim=axes, keepdim=True) + eps).rsqrt()
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, scale: float | None = None, **other: Any
) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention` likewise. Raises ValueError for dropout, causes and groups."""
    if any(other.values()):
        raise ValueError(f"attention that is differentiated twice knows masks and scales alone, not {other}")
    logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        hidden = attn_mask.dtype == torch.bool
        logits = logits.masked_fill(~attn_mask, -torch.inf) if hidden else logits + attn_mask
    # Not `softmax`: its tangent is computed in place, so that nothing can be differentiated through it.
    likely = (logits - logits.amax(dim=-1, keepdim=True).detach()).exp()
    return likely / likely.sum(dim=-1, keepdim=True) @ value


WRITTEN_OUT = {F.layer_norm: layer_norm, F.scaled_dot_product_attention: attention}
