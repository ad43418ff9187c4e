"""Multi-condition diffusion, from raw images to composed pictures.

What a notebook needs is here by name, and loaded when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.flows.compose.notebook import compose
    from sluice.inference.pipelines.compose_and_conquer import ComposeAndConquerPipeline
    from sluice.inference.pipelines.minimal_impact import MinimalImpactPipeline
    from sluice.training.networks.global_fuser import GlobalFuser
    from sluice.training.networks.local_fuser import LocalFuser

__all__ = ["ComposeAndConquerPipeline", "GlobalFuser", "LocalFuser", "MinimalImpactPipeline", "compose"]

PLACES = {
    "compose": "sluice.flows.compose.notebook",
    "ComposeAndConquerPipeline": "sluice.inference.pipelines.compose_and_conquer",
    "MinimalImpactPipeline": "sluice.inference.pipelines.minimal_impact",
    # Diffusers looks here for the fusers of a pipeline that was saved.
    "GlobalFuser": "sluice.training.networks.global_fuser",
    "LocalFuser": "sluice.training.networks.local_fuser",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module 'sluice' has no attribute '{name}'")
    return getattr(importlib.import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
