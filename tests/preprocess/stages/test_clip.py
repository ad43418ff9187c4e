from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.clip import BackgroundClip, Clip, ClipParameters

Scene = Callable[..., Record]


@pytest.fixture
def clip(tiny_clip: Path) -> Clip:
    stage = Clip(ClipParameters(model=str(tiny_clip), batch_size=4))
    stage.open(tiny_clip)
    return stage


def test_it_is_the_projected_embedding_not_normalised(clip: Clip, tiny_clip: Path, scene: Scene) -> None:
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    record = scene(1, 64, 96)
    clip([record])
    pixels = CLIPImageProcessorPil.from_pretrained(tiny_clip)(images=record["jpg"], return_tensors="pt").pixel_values
    with torch.no_grad():
        expected = CLIPVisionModelWithProjection.from_pretrained(tiny_clip)(pixels).image_embeds[0].numpy()
    np.testing.assert_allclose(record["clip.npy"], expected, rtol=2e-3, atol=1e-4)
    assert abs(float(np.linalg.norm(expected)) - 1) > 0.01
    assert check_value(FIELDS["clip.npy"], record["clip.npy"], (64, 96)) is None


def test_neither_neighbours_nor_order_change_a_byte(clip: Clip, scene: Scene) -> None:
    def run(*seeds: int) -> list[bytes]:
        records = [scene(seed) for seed in seeds]
        clip(records)
        return [record.encode("clip.npy") for record in records]

    together = run(0, 1, 2)
    assert together == [run(i)[0] for i in range(3)] == run(2, 1, 0)[::-1]
    assert len(set(together)) == 3


def test_a_whole_clip_folder_gives_its_vision_tower(tiny_clip: Path, clip: Clip, tmp_path: Path, scene: Scene) -> None:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTextConfig
    from transformers import CLIPVisionModelWithProjection as VisionTower

    vision = VisionTower.from_pretrained(tiny_clip)
    text = CLIPTextConfig(
        vocab_size=99, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.config.to_dict(), projection_dim=8)
    whole = CLIPModel(config)
    whole.load_state_dict(vision.state_dict(), strict=False)
    whole.save_pretrained(tmp_path)
    CLIPImageProcessorPil.from_pretrained(tiny_clip).save_pretrained(tmp_path)
    stage = Clip(ClipParameters(model=str(tmp_path), batch_size=4))
    stage.open(tmp_path)
    records = [scene(1), scene(1)]
    stage(records[:1])
    clip(records[1:])
    np.testing.assert_array_equal(records[0]["clip.npy"], records[1]["clip.npy"])


def test_the_backgrounds_stage_sees_the_background(tiny_clip: Path, clip: Clip, scene: Scene) -> None:
    stage = BackgroundClip(ClipParameters(model=str(tiny_clip), batch_size=4))
    stage.open(tiny_clip)
    record = scene(1)
    stage([record])
    same = Record("x", values={"jpg": record["bg.jpg"]})
    clip([same])
    np.testing.assert_array_equal(record["bg_clip.npy"], same["clip.npy"])
    assert (stage.reads, stage.writes) == (("bg.jpg",), ("bg_clip.npy",))


def test_a_depth_model_is_refused(tiny_dpt: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"CLIPVisionModelWithProjection"):
        Clip(ClipParameters(model=str(tiny_dpt))).open(tiny_dpt)
