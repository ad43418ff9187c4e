"""Points are read where heatmaps put them, and rows by their labels."""

from __future__ import annotations

import pytest
import torch

from sluice.preprocess.perception.judges import Judgement, read_points, rows_of
from sluice.training.tabletop.heatmaps import heatmap_loss, heatmaps


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_points_come_back_from_their_heatmaps(scale: int) -> None:
    side = 16 * scale
    x, y = torch.rand(2, 3, 50, generator=torch.Generator().manual_seed(0)) * (side - 8 * scale) + 4 * scale
    points = torch.stack([x, y, torch.ones_like(x)], dim=2)
    maps = heatmaps(points, (16, 16), scale)
    found = read_points(torch.logit(maps.clamp(1e-6, 1 - 1e-6)), scale)
    assert (found[..., :2] - points[..., :2]).abs().max() < 0.2 * scale
    assert found[..., 2].min() > 0.7


def test_a_point_out_of_sight_has_an_empty_map() -> None:
    maps = heatmaps(torch.tensor([[[3.0, 3.0, 0.0], [3.0, 3.0, 1.0]]]), (8, 8), 1)
    assert maps[0, 0].abs().max() == 0
    assert maps[0, 1, 3, 3] == 1


def test_the_loss_is_least_at_the_truth() -> None:
    maps = heatmaps(torch.tensor([[[3.0, 4.0, 1.0]]]), (8, 8), 1)
    logits = torch.logit(maps.clamp(1e-6, 1 - 1e-6))
    loss = heatmap_loss(logits, maps)
    assert float(loss) == pytest.approx(0, abs=1e-4)
    assert heatmap_loss(logits + 1, maps) > loss
    assert heatmap_loss(logits - 1, maps) > loss


def test_rows_belong_to_the_judge_that_labels_name() -> None:
    labels = ["parser/wall", "parser/table", "depth/metres", "pose/nose"]
    assert rows_of(labels) == {"parser": slice(0, 2), "depth": slice(2, 3), "pose": slice(3, 4)}


def test_a_judgement_is_as_large_as_the_picture() -> None:
    heat = torch.full((1, 1, 8, 8), -9.0)
    heat[0, 0, 2, 5] = 9.0
    judgement = Judgement({"parser": torch.randn(1, 3, 8, 8), "depth": torch.ones(1, 1, 8, 8), "pose": heat}, (32, 32))
    assert judgement.classes().shape == (1, 3, 32, 32)
    assert torch.equal(judgement.depth(), torch.ones(1, 1, 32, 32))
    x, y, sure = judgement.points("pose")[0, 0].tolist()
    assert (x, y) == (pytest.approx(21.5, abs=0.1), pytest.approx(9.5, abs=0.1))
    assert sure > 0.99
