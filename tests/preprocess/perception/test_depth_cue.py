from __future__ import annotations

import cv2
import numpy as np
from scipy.stats import spearmanr
from skimage import data

from sluice.preprocess.perception.depth_cue import depth_cue, distinctness, guided_filter, sharpness


def test_it_orders_a_real_scene_better_than_height_alone() -> None:
    left, _, disparity = data.stereo_motorcycle()
    known = np.isfinite(disparity) & (disparity > 0)
    height = np.broadcast_to(np.arange(left.shape[0])[:, None], disparity.shape)
    cue = depth_cue(np.ascontiguousarray(left))
    ours = spearmanr(cue[known][::50], disparity[known][::50]).statistic
    lower_is_nearer = spearmanr(height[known][::50], disparity[known][::50]).statistic
    assert ours > 0.7 > lower_is_nearer


def test_range_type_and_shape() -> None:
    cue = depth_cue(data.coffee())
    assert (cue.shape, cue.dtype) == (data.coffee().shape[:2], np.float32)
    assert cue.min() >= 0
    assert cue.max() <= 1


def test_flat_and_tiny_images_are_finite() -> None:
    for image in (np.zeros((40, 60, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8), np.zeros((2, 300, 3), np.uint8)):
        assert np.isfinite(depth_cue(image)).all()


def test_what_is_in_focus_is_sharper() -> None:
    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    assert sharpness(grey).mean() > 2 * sharpness(cv2.GaussianBlur(grey, (0, 0), 4)).mean()


def test_a_subject_is_distinct_from_the_border() -> None:
    image = np.full((64, 64, 3), 0.2, np.float32)
    image[20:44, 20:44] = (0.9, 0.1, 0.1)
    distances = distinctness(image)
    assert distances[32, 32] > 10 * distances[5, 5] + 1


def test_the_guided_filter_smooths_but_keeps_the_guides_edge() -> None:
    guide = np.zeros((32, 32), np.float32)
    guide[:, 16:] = 1
    noisy = guide + np.random.default_rng(0).normal(0, 0.1, guide.shape).astype(np.float32)
    smooth = guided_filter(noisy, guide, 4, 0.02)
    assert smooth[:, :14].std() < 0.04
    assert (smooth[:, 16] - smooth[:, 15]).mean() > 0.9
