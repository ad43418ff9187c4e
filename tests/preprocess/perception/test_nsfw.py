from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.preprocess.perception.nsfw import Classifier, open_nsfw
from sluice.preprocess.perception.onnx import OnnxNetwork

CPU = torch.device("cpu")


def test_the_network_sees_bgr_minus_its_mean(tiny_nsfw: Path) -> None:
    network = OnnxNetwork(tiny_nsfw)
    for colour in ((255, 0, 0), (0, 255, 0), (123, 117, 104)):
        red, green, blue = np.array(colour) - (123, 117, 104)
        expected = 1 / (1 + np.exp(-(red - green - blue) / 32))
        image = np.full((50, 80, 3), colour, np.uint8)
        assert open_nsfw(network, image) == pytest.approx(expected, abs=1e-4)


def test_the_outer_sixteenth_is_cut_away(tiny_nsfw: Path) -> None:
    image = np.full((256, 256, 3), (123, 117, 104), np.uint8)
    image[:14] = image[-14:] = (255, 0, 0)
    assert open_nsfw(OnnxNetwork(tiny_nsfw), image) == pytest.approx(0.5, abs=1e-3)


def test_any_classifier_by_its_labels(tiny_classifier: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    one, other, third = (
        Classifier(tiny_classifier, [label], CPU, torch.float32)(image) for label in ("normal", "porn", "hentai")
    )
    assert one + other + third == pytest.approx(1, abs=1e-5)
    both = Classifier(tiny_classifier, ["Porn", "hentai"], CPU, torch.float32)(image)
    assert both == pytest.approx(other + third, abs=1e-6)


def test_an_unknown_label_names_the_known_ones(tiny_classifier: Path) -> None:
    with pytest.raises(ValueError, match="no label nsfw; its labels are normal, porn, hentai"):
        Classifier(tiny_classifier, ["porn", "nsfw"], CPU, torch.float32)
    with pytest.raises(ValueError, match="none was named"):
        Classifier(tiny_classifier, [], CPU, torch.float32)


@pytest.mark.weights
def test_the_published_network_calls_photographs_safe(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    network = OnnxNetwork(real_weights("open-nsfw"))
    for image in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        assert 0 <= open_nsfw(network, image) < 0.05
