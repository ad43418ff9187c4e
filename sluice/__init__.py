"""Multi-condition diffusion, from raw images to composed pictures.

What a notebook needs is here by name, and loaded when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.flows.compose.notebook import compose

__all__ = ["compose"]

PLACES = {"compose": "sluice.flows.compose.notebook"}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module 'sluice' has no attribute '{name}'")
    return getattr(importlib.import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
