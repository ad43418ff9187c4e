from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.instances import Instance, Score, instance_score
from sluice.inference.metrics.judged import judged
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.scene import Thing
from sluice.training.tabletop.scenes import HELD_OUT, Scenes, pixels


class ByBrightness(nn.Module):
    """The wall where a picture is dark, a ball where it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(id2label={0: "parser/wall", 1: "parser/ball"})

    def forward(self, shown: torch.Tensor) -> SimpleNamespace:
        bright = shown.mean(dim=1)
        return SimpleNamespace(logits=torch.stack([-bright, bright], dim=1))


PLAIN = Judges(ByBrightness(), {"parser": slice(0, 2)}, 1)


def two_bright_parts() -> torch.Tensor:
    shown = -torch.ones(3, 16, 16)
    shown[:, 2:6, 1:5] = 1
    shown[:, 2:6, 9:13] = 1
    return shown


def test_a_class_is_detected_in_its_parts_and_as_a_whole() -> None:
    detect, _ = judged(PLAIN, two_bright_parts())
    assert detect("ball").tolist() == [[1, 2, 5, 6], [9, 2, 13, 6], [1, 2, 13, 6]]
    assert judged(PLAIN, -torch.ones(3, 16, 16))[0]("ball").shape == (0, 4)


def test_a_mask_is_what_of_the_class_the_box_holds() -> None:
    _, segment = judged(PLAIN, two_bright_parts())
    found = segment(Instance("ball", "red", (0, 0, 8, 4)))
    assert found.sum() == 8
    assert found[2:4, 1:5].all()


def test_another_noun_is_an_error() -> None:
    detect, _ = judged(PLAIN, two_bright_parts())
    with pytest.raises(Unmeasurable, match="know no 'bell'; did you mean 'ball'"):
        detect("bell")


def test_true_scenes_show_their_instances_and_hardly_any_of_another_colour() -> None:
    scenes, judges = Scenes((("two", 1.0),), HELD_OUT), Judges.load(find("tabletop/judges").path)
    right, wrong = [], []
    for number in range(8):
        shown = scenes.render(number)
        eyes = judged(judges, pixels([shown])[0])
        for thing, box in zip(scenes.scene(number).things, shown.boxes.tolist(), strict=True):
            assert isinstance(thing, Thing)
            other = "blue" if thing.colour != "blue" else "yellow"
            right.append(instance_score(shown.image, Instance(thing.shape, thing.colour, tuple(box)), *eyes))
            wrong.append(instance_score(shown.image, Instance(thing.shape, other, tuple(box)), *eyes))
    assert np.mean([score.success for score in right]) > 0.8
    assert np.mean([score.success for score in wrong]) < 0.2
    assert Score(True, 0.0) not in right
