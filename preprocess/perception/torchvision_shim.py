"""The four functions of torchvision that segment-anything imports, for machines that have no torchvision.

On a CPU machine torchvision is not installed (its wheel does not fit a CPU build of torch). `standing_in` puts a
stand-in into `sys.modules` while segment-anything is imported, and takes it away again, so that no other library
believes that torchvision is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch
from PIL import Image

from sluice.preprocess.perception.nms import box_area, nms
from sluice.preprocess.record import Array


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Non-maximal suppression within each group of boxes; indices of the kept ones, best score first."""
    if boxes.numel() == 0:
        return torch.empty(0, dtype=torch.int64, device=boxes.device)
    shift = groups.to(boxes) * (boxes.max() + 1)
    return nms(boxes + shift[:, None], scores, iou_threshold)


def resize(image: Image.Image, size: Sequence[int]) -> Image.Image:
    """A PIL image resized to (height, width), bilinear."""
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def to_pil_image(image: Array) -> Image.Image:
    """A uint8 array (height, width, 3) as a PIL image."""
    return Image.fromarray(np.ascontiguousarray(image))


def _stand_ins() -> dict[str, ModuleType]:
    exports: dict[str, dict[str, object]] = {
        "torchvision": {},
        "torchvision.ops": {},
        "torchvision.ops.boxes": {"batched_nms": batched_nms, "box_area": box_area},
        "torchvision.transforms": {},
        "torchvision.transforms.functional": {"resize": resize, "to_pil_image": to_pil_image},
    }
    modules = {name: ModuleType(name) for name in exports}
    for name, functions in exports.items():
        modules[name].__dict__.update(functions)
    return modules


@contextmanager
def standing_in() -> Iterator[None]:
    """Inside, `import torchvision` finds the stand-in; where the real one is installed, nothing happens."""
    if find_spec("torchvision") is not None:
        yield
        return
    modules = _stand_ins()
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
