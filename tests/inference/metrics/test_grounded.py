"""COCO-MIG's rules by the networks that it has, small ones of their classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sluice.inference.metrics.grounded import Grounded
from sluice.inference.metrics.instances import Instance, Score, instance_score
from tests.preprocess.tiny_grounding_dino import save_grounding_dino
from tests.preprocess.tiny_sam import random_sam, save


def test_an_instance_is_where_its_noun_is_detected_and_its_box_has_the_colour(tmp_path: Path) -> None:
    seen = Grounded.load(save_grounding_dino(tmp_path / "dino"), save(random_sam(), tmp_path / "sam.safetensors"))
    red = np.tile(np.uint8([220, 20, 20]), (64, 64, 1))
    detect, segment = seen(red)
    left, top, right, bottom = (float(edge) for edge in detect("cat")[0])
    asked = Instance("cat", "red", (left, top, right, bottom))
    assert segment(asked).any()
    assert instance_score(red, asked, detect, segment) == Score(True, 1.0)
    blue = Instance("cat", "blue", asked.box)
    assert instance_score(red, blue, detect, segment) == Score(False, 0.0)
