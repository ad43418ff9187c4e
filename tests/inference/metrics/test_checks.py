from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable, alike, counted, enough, finite, pictured, within


def test_pictures_with_nan_are_named_by_their_rows() -> None:
    pictures = torch.zeros(9, 3, 2, 2)
    finite("LPIPS", pictures=pictures)
    with pytest.raises(Unmeasurable, match="LPIPS: there are no pictures to measure"):
        finite("LPIPS", pictures=pictures[:0])
    pictures[1, 0, 1, 1], pictures[3, 2, 0, 0] = torch.nan, torch.inf
    with pytest.raises(Unmeasurable, match="LPIPS: pictures 1, 3 of 9 hold NaN or infinity"):
        finite("LPIPS", pictures=pictures)
    with pytest.raises(Unmeasurable, match="LPIPS: there are no pictures to measure"):
        finite("LPIPS", pictures=pictures[:0])
    with pytest.raises(Unmeasurable, match="pictures 0, 1, 2, 3, 4 and others of 9"):
        finite("LPIPS", pictures=pictures * torch.nan)


def test_levels_are_no_values_of_a_picture() -> None:
    pictured("SSIM", pictures=torch.tensor([-1.5, 1.5]).reshape(1, 1, 1, 2))
    with pytest.raises(Unmeasurable, match="SSIM: pictures must be floats from -1 to 1, not float32 from 0 to 255"):
        pictured("SSIM", pictures=torch.tensor([0.0, 255.0]).reshape(1, 1, 1, 2))
    with pytest.raises(Unmeasurable, match="not uint8 from 0 to 1"):
        pictured("SSIM", pictures=torch.tensor([0, 1], dtype=torch.uint8).reshape(1, 1, 1, 2))
    with pytest.raises(Unmeasurable, match="SSIM: there are no pictures to measure"):
        pictured("SSIM", pictures=torch.zeros(2, 3, 0, 4))
    with pytest.raises(Unmeasurable, match="pictures 0 of 1 hold NaN"):
        pictured("SSIM", pictures=torch.full((1, 1, 1, 1), torch.nan))


def test_one_picture_without_a_batch_and_none_at_all_are_told() -> None:
    with pytest.raises(Unmeasurable, match=r"truths must be \(batch, channels, height, width\), and are \(3, 8, 8\)"):
        pictured("SSIM", truths=torch.zeros(3, 8, 8))
    with pytest.raises(Unmeasurable, match="PSNR: truths must be a tensor, and are None"):
        alike("PSNR", pictures=torch.zeros(1, 3, 8, 8), truths=None)  # type: ignore[arg-type]


def test_mixed_sizes_are_told_with_both() -> None:
    alike("SSIM", pictures=torch.zeros(2, 3, 8, 8), truths=torch.ones(2, 3, 8, 8))
    with pytest.raises(Unmeasurable, match=r"SSIM: .*pictures \(2, 3, 8, 8\), truths \(2, 3, 8, 9\)"):
        alike("SSIM", pictures=torch.zeros(2, 3, 8, 8), truths=torch.zeros(2, 3, 8, 9))


def test_too_few_are_told_with_the_minimum() -> None:
    enough("KID", 2, pictures=2)
    with pytest.raises(Unmeasurable, match="KID needs at least 2 pictures; there are 1"):
        enough("KID", 2, pictures=1)


def test_values_in_another_scale_and_empty_regions_are_told() -> None:
    within("condition L1", 0, 1, wanted=torch.tensor([0.0, 1.0]))
    with pytest.raises(Unmeasurable, match="wanted must hold values from 0 to 1, not 0 to 255"):
        within("condition L1", 0, 1, wanted=torch.tensor([0.0, 255.0]))
    with pytest.raises(Unmeasurable, match="no pixels in 1 of 2"):
        counted("condition L1", "pixels", torch.tensor([3, 0]))
