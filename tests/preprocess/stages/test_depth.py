from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.depth import (
    BackgroundDepth,
    Depth,
    DepthParameters,
    ForegroundDepth,
    ForegroundDepthParameters,
)

Scene = Callable[..., Record]


def run(stage: Any, records: list[Record]) -> list[bytes]:
    stage(records)
    return [record.encode(stage.writes[0]) for record in records]


@pytest.fixture
def depth(tiny_dpt: Path) -> Depth:
    stage = Depth(DepthParameters(model=str(tiny_dpt), batch_size=4))
    stage.open(tiny_dpt)
    return stage


def test_depth_is_the_networks_own(depth: Depth, tiny_dpt: Path, scene: Scene) -> None:
    import torch
    from transformers import DPTForDepthEstimation, DPTImageProcessorPil

    record = scene(1, 64, 64)
    run(depth, [record])
    pixels = DPTImageProcessorPil.from_pretrained(tiny_dpt)(images=record["jpg"], return_tensors="pt").pixel_values
    with torch.no_grad():
        inverse = DPTForDepthEstimation.from_pretrained(tiny_dpt)(pixels).predicted_depth[0].numpy()
    expected = (inverse - inverse.min()) / np.ptp(inverse)
    assert np.ptp(inverse) > 1e-4
    np.testing.assert_allclose(record["depth.png"] / 65535, expected, atol=1e-3)


def test_every_image_spans_the_whole_range_at_its_own_size(depth: Depth, scene: Scene) -> None:
    record = scene(2, 48, 80)
    depth([record])
    stored = record["depth.png"]
    assert (stored.min(), stored.max()) == (0, 65535)
    assert check_value(FIELDS["depth.png"], stored, (48, 80)) is None


def test_neither_neighbours_nor_order_change_a_byte(depth: Depth, scene: Scene) -> None:
    sizes = [(64, 64), (48, 80), (64, 64), (32, 32)]
    together = run(depth, [scene(i, *size) for i, size in enumerate(sizes)])
    alone = [run(depth, [scene(i, *size)])[0] for i, size in enumerate(sizes)]
    backwards = run(depth, [scene(i, *sizes[i]) for i in (3, 2, 1, 0)])[::-1]
    assert together == alone == backwards
    assert len(set(together)) == 4


def test_a_pretrained_dpt_without_its_unused_branch_loads(tiny_dpt: Path, tmp_path: Path, scene: Scene) -> None:
    folder = tmp_path / "dpt"
    shutil.copytree(tiny_dpt, folder)
    weights = load_file(folder / "model.safetensors")
    published = {k: v for k, v in weights.items() if "fusion_stage.layers.0.residual_layer1" not in k}
    assert len(published) < len(weights)
    save_file(published, folder / "model.safetensors", metadata={"format": "pt"})
    stages = [Depth(DepthParameters(model=str(f))) for f in (tiny_dpt, folder)]
    for stage, where in zip(stages, (tiny_dpt, folder), strict=True):
        stage.open(where)
    assert run(stages[0], [scene(3)]) == run(stages[1], [scene(3)])


def test_a_model_of_metric_depth_is_refused(tmp_path: Path) -> None:
    from transformers import DepthAnythingConfig, Dinov2Config

    backbone = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    DepthAnythingConfig(backbone_config=backbone, depth_estimation_type="metric", max_depth=20).save_pretrained(
        tmp_path
    )
    with pytest.raises(ModelFolderError, match="metric depth; depth is stored as inverse depth"):
        Depth(DepthParameters(model=str(tmp_path))).open(tmp_path)


def test_another_kind_of_model_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(ModelFolderError, match="'clip_vision_model'"):
        Depth(DepthParameters(model=str(tiny_clip))).open(tiny_clip)


def test_half_precision_runs(tiny_dpt: Path, scene: Scene) -> None:
    stages = [Depth(DepthParameters(model=str(tiny_dpt), precision=p)) for p in ("fp32", "bf16")]
    maps = []
    for stage in stages:
        stage.open(tiny_dpt)
        record = scene(1)
        stage([record])
        maps.append(record["depth.png"] / 65535)
    assert 0 < np.abs(maps[0] - maps[1]).mean() < 0.2


@pytest.mark.parametrize("of", ["image", "masked_image", "masked_depth"])
def test_foreground_depth_in_the_papers_three_ways(
    tiny_dpt: Path, depth: Depth, scene: Scene, of: Literal["image", "masked_image", "masked_depth"]
) -> None:
    stage = ForegroundDepth(ForegroundDepthParameters(model=str(tiny_dpt), of=of, batch_size=4))
    stage.open(tiny_dpt)
    record = scene(1)
    stage([record])
    inside = record["mask.png"] > 0
    seen = Record("x", values={"jpg": record["jpg"] if of == "image" else record["jpg"] * inside[..., None]})
    depth([seen])
    expected = seen["depth.png"] * inside if of == "masked_depth" else seen["depth.png"]
    np.testing.assert_array_equal(record["fg_depth.png"], expected)
    assert stage.reads == (("jpg",) if of == "image" else ("jpg", "mask.png"))


def test_background_depth_reads_the_background(tiny_dpt: Path, depth: Depth, scene: Scene) -> None:
    stage = BackgroundDepth(DepthParameters(model=str(tiny_dpt), batch_size=4))
    stage.open(tiny_dpt)
    record = scene(1)
    stage([record])
    same = Record("x", values={"jpg": record["bg.jpg"]})
    depth([same])
    np.testing.assert_array_equal(record["bg_depth.png"], same["depth.png"])


def test_the_cue_needs_no_weights_and_leaves_the_foregrounds_surrounding_far(scene: Scene) -> None:
    stage = ForegroundDepth(ForegroundDepthParameters(model="cue"))
    assert stage.weights is None
    stage.open(None)
    record = scene(1)
    stage([record])
    outside = record["mask.png"] == 0
    assert not record["fg_depth.png"][outside].any()
    assert record["fg_depth.png"][~outside].max() > 0


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [(Depth, DepthParameters), (ForegroundDepth, ForegroundDepthParameters), (BackgroundDepth, DepthParameters)],
)
def test_the_cue_is_marked_unfit_with_its_limits(kind: type[Any], parameters: type[DepthParameters]) -> None:
    unfit, limits = kind(parameters(model="cue")).marks()
    assert unfit == "unfit for training"
    assert "not from geometry" in limits
    assert kind(parameters(model="dpt-large")).marks() == ()
