"""Non-maximal suppression of boxes, greedy, by intersection over union."""

from __future__ import annotations

import torch


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    """Areas `(n,)` of boxes `(n, 4)`, each x0, y0, x1, y1."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes: torch.Tensor) -> torch.Tensor:
    """Intersection over union `(n, n)` of every two boxes; NaN between two empty ones."""
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = box_area(boxes)
    return shared / (area[:, None] + area[None, :] - shared)


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Indices of the boxes that no kept box of a better score overlaps by more than the threshold, best first.

    Equal scores keep their order, as in torchvision.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    overlaps = (box_iou(boxes[order].float()) > iou_threshold).cpu().numpy()
    dropped = overlaps.diagonal().copy()
    dropped[:] = False
    for i in range(len(dropped)):
        if not dropped[i]:
            dropped[i + 1 :] |= overlaps[i, i + 1 :]
    return order[torch.as_tensor(~dropped, device=order.device)]
