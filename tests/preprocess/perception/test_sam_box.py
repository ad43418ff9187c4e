"""The mask of a box, against segment-anything's own predictor."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.preprocess.perception.sam import standing_in
from sluice.preprocess.perception.sam_box import boxed
from tests.preprocess.tiny_sam import random_sam

with standing_in():
    from segment_anything import SamPredictor


@pytest.mark.parametrize(("height", "width"), [(96, 128), (80, 40), (160, 200)])
def test_masks_are_those_of_the_predictor(height: int, width: int) -> None:
    network, image = random_sam(), np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    predictor, ours = SamPredictor(network.eval()), boxed(network, image)
    predictor.set_image(image)
    for box in ((2.0, 3.0, width / 2, height / 2), (width / 4, height / 3, width - 1.0, height - 2.0)):
        masks, quality, _ = predictor.predict(box=np.array(box), multimask_output=True)
        np.testing.assert_array_equal(ours(box), masks[quality.argmax()])
        assert ours(box).shape == (height, width)
