"""Every object of an image by a grid of points ("Segment Anything", Kirillov et al. 2023, Sec. 5 and App. B), batched.

The same masks as segment-anything's `SamAutomaticMaskGenerator` for the same weights and settings, up to rounding.
Images and their crops are encoded in batches, many points decoded together, and a mask is upscaled, first by the
decoder and then to the size of its crop, only if its predicted quality passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sluice.preprocess.perception import sam_decoder
from sluice.preprocess.perception.crops import Crop, layer_crops, point_grid
from sluice.preprocess.perception.masks import Mask, bounding_box, within, without_duplicates, without_small_regions
from sluice.preprocess.record import Array

EDGE = 20  # pixels: a mask this near to an edge of its crop, and not of the image, is taken to be cut off
AT_FULL_SIZE = 16  # masks held in float at the size of the image at once: bounds memory

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Settings:
    """segment-anything's settings, with its names and defaults. Thresholds and overlaps are ratios, areas pixels."""

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0


@torch.inference_mode()
def automatic_masks(
    sam: Any, images: Sequence[Array], settings: Settings | None = None, batch_size: int = 1
) -> list[list[Mask]]:
    """The masks of every image (RGB uint8, `(height, width, 3)`, any sizes), in segment-anything's order.

    `batch_size` crops are encoded at once, the last batch padded, so that an image's masks do not depend on its
    neighbours. Where the encoder has half precision it ends there: thresholds want the decoder in float32.
    """
    settings = settings or Settings()
    found: list[list[Mask]] = [[] for _ in images]
    for layer in range(settings.crop_n_layers + 1):
        grid = point_grid(int(settings.points_per_side / settings.crop_n_points_downscale_factor**layer))
        views = [view for i, image in enumerate(images) for view in _views(i, image, layer, settings)]
        for start in range(0, len(views), batch_size):
            batch = views[start : start + batch_size]
            for view, masks in zip(batch, _masks_of_views(sam, batch, grid, settings, batch_size), strict=True):
                found[view.image] += without_duplicates(
                    masks, [m.predicted_iou for m in masks], settings.box_nms_thresh
                )
    return [_settled(masks, image.shape[:2], settings) for masks, image in zip(found, images, strict=True)]


@dataclass(frozen=True)
class _View:
    """What the encoder is shown at once: a crop of an image, its pixels, and the size of the whole image."""

    image: int
    crop: Crop
    pixels: Array
    size: Size


def _views(index: int, image: Array, layer: int, settings: Settings) -> Iterator[_View]:
    height, width = image.shape[:2]
    for crop in layer_crops(height, width, layer, settings.crop_overlap_ratio):
        yield _View(index, crop, crop.cut(image), (height, width))


def _settled(masks: list[Mask], size: Size, settings: Settings) -> list[Mask]:
    """The masks of all crops of an image without those that crops share, small crops preferred, and without crumbs."""
    if settings.crop_n_layers > 0:
        scores = [1 / (mask.crop.height * mask.crop.width) for mask in masks]
        masks = without_duplicates(masks, scores, settings.crop_nms_thresh)
    if settings.min_mask_region_area > 0:
        threshold = max(settings.box_nms_thresh, settings.crop_nms_thresh)
        masks = without_small_regions(masks, size, settings.min_mask_region_area, threshold)
    return masks


def encode(sam: Any, images: Sequence[Array], batch_size: int) -> Tensor:
    """Embeddings `(batch_size, C, side, side)` of at most `batch_size` images, the rest embeddings of nothing."""
    side = sam.image_encoder.img_size
    batch = torch.zeros(batch_size, 3, side, side, device=sam.device)
    for row, image in zip(batch, images, strict=False):
        height, width = _input_size(image.shape[:2], side)
        scaled = Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.as_tensor(np.array(scaled), device=sam.device).permute(2, 0, 1)
        row[:, :height, :width] = (pixels - sam.pixel_mean) / sam.pixel_std
    weight = next(sam.image_encoder.parameters())
    embeddings: Tensor = sam.image_encoder(batch.to(weight.dtype))
    return embeddings.float()


def _input_size(size: Size, side: int) -> Size:
    """Height and width with the longer one scaled to `side`."""
    scale = side / max(size)
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def _masks_of_views(
    sam: Any, views: Sequence[_View], grid: Array, settings: Settings, batch_size: int
) -> list[list[Mask]]:
    """The masks of each view that pass its own tests, in the order of their points; duplicates are still among them."""
    shared = sam_decoder.share(sam, encode(sam, [view.pixels for view in views], batch_size))
    points = torch.zeros(batch_size, len(grid), 2, dtype=torch.float64)
    for row, view in zip(points, views, strict=False):
        row[:] = torch.as_tensor(_points_in_input(grid, view.crop, sam.image_encoder.img_size))
    found: list[list[Mask]] = [[] for _ in views]
    for rows, columns in _decoder_calls(batch_size, len(grid), settings.points_per_batch):
        if rows.start < len(views):
            decoded = sam_decoder.predict(sam, shared.of(rows), points[rows, columns].to(sam.device))
            for masks, view, of_view in zip(found[rows], views[rows], decoded.images(), strict=False):
                masks += _good_masks(sam, of_view, view, grid[columns], settings)
    return found


def _points_in_input(grid: Array, crop: Crop, side: int) -> Array:
    """The grid in pixels of the network's input."""
    height, width = _input_size((crop.height, crop.width), side)
    return grid * (crop.width, crop.height) * (width / crop.width, height / crop.height)


def _decoder_calls(images: int, points: int, points_per_batch: int) -> Iterator[tuple[slice, slice]]:
    """Which images and which points go into each call of the decoder: some points of one, or all points of several."""
    together = max(1, points_per_batch // points)
    for image in range(0, images, together):
        for point in range(0, points, points_per_batch):
            yield slice(image, image + together), slice(point, point + points_per_batch)


def _good_masks(sam: Any, decoded: sam_decoder.Decoded, view: _View, grid: Array, settings: Settings) -> Iterator[Mask]:
    """The masks of some points (0 .. 1 within the view) with good scores that the view does not cut off."""
    good = _above(decoded.quality, settings.pred_iou_thresh)
    wanted = good.any(1)
    if not wanted.any():
        return
    logits = sam_decoder.upscale(sam, decoded.masks[wanted], decoded.image[wanted])[good[wanted]]
    crop = view.crop
    points = (grid * (crop.width, crop.height) + (crop.x0, crop.y0))[good.nonzero()[:, 0].cpu().numpy()]
    scored = zip(_at_full_size(sam, logits, crop, settings), decoded.quality[good].tolist(), points, strict=True)
    for (stability, mask), quality, (x, y) in scored:
        if mask is not None:
            x0, y0, x1, y1 = bounding_box(mask)
            box = (x0 + crop.x0, y0 + crop.y0, x1 + crop.x0, y1 + crop.y0)
            if not _is_cut_off(box, crop, view.size):
                pixels = within(mask, (x0, y0, x1, y1))
                yield Mask(box, pixels, quality, stability, (float(x), float(y)), crop)


def _above(quality: Tensor, threshold: float) -> Tensor:
    """Which scores pass; a threshold of zero lets all pass, negative ones and NaN too."""
    return quality > threshold if threshold > 0 else torch.ones_like(quality, dtype=torch.bool)


def _at_full_size(sam: Any, logits: Tensor, crop: Crop, settings: Settings) -> Iterator[tuple[float, Array | None]]:
    """Of every mask its stability, and its pixels, bool at the size of the crop, if the stability passes.

    Stability is the overlap of the masks at a threshold raised and lowered by the offset.
    """
    side = sam.image_encoder.img_size
    height, width = _input_size((crop.height, crop.width), side)
    rows = _resampling(logits, logits.shape[1], side, height, crop.height)
    columns = _resampling(logits, logits.shape[2], side, width, crop.width)
    for some in torch.split(logits, AT_FULL_SIZE):
        full = rows.T @ some @ columns
        inner = (full > sam.mask_threshold + settings.stability_score_offset).sum((1, 2), dtype=torch.int32)
        outer = (full > sam.mask_threshold - settings.stability_score_offset).sum((1, 2), dtype=torch.int32)
        stability = inner / outer
        stable = stability >= settings.stability_score_thresh if settings.stability_score_thresh > 0 else outer >= 0
        masks = iter((full[stable] > sam.mask_threshold).cpu().numpy())
        yield from ((s, next(masks) if ok else None) for s, ok in zip(stability.tolist(), stable.tolist(), strict=True))


def _resampling(like: Tensor, source: int, side: int, used: int, target: int) -> Tensor:
    """segment-anything's way along one axis, from the decoder to the network's input, without its padding, to the crop.

    All of it is linear, so it is one matrix `(source, target)`.
    """
    basis = torch.eye(source, dtype=like.dtype, device=like.device)[None]
    padded = F.interpolate(basis, side, mode="linear")
    return F.interpolate(padded[..., :used], target, mode="linear")[0]


def _is_cut_off(box: tuple[int, int, int, int], crop: Crop, size: Size) -> bool:
    edges = zip(box, (crop.x0, crop.y0, crop.x1, crop.y1), (0, 0, size[1], size[0]), strict=True)
    return any(abs(side - of_crop) <= EDGE < abs(side - of_image) for side, of_crop, of_image in edges)
