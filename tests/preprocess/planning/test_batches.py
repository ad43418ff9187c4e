from __future__ import annotations

from pathlib import Path

import pytest

from sluice.preprocess.graph import Node
from sluice.preprocess.planning.batches import has_batches, largest_batch, propose
from sluice.preprocess.planning.config import DatasetConfig, make_stages
from sluice.preprocess.planning.resolve import resolve


def node(name: str, model: str) -> Node:
    stages = {"image": {}, "mask": {"model": "grabcut"}, name: {"model": model}}
    config = DatasetConfig.model_validate({"source": {"kind": "folder", "uri": "x"}, "stages": stages})
    return next(node for node in resolve(make_stages(config))[0] if node.name == name)


@pytest.mark.parametrize(
    ("one", "further", "at_hand", "expected"),
    [(1, 0.5, 10, 15), (1, 0.5, 1, 1), (9, 0.5, 10, 1), (0.1, 0.001, 100, 128), (1, 0, 10, 128)],
)
def test_what_fits_into_four_fifths_of_the_memory(one: float, further: float, at_hand: float, expected: int) -> None:
    assert largest_batch(one, further, at_hand) == expected


def test_a_stage_is_measured_in_a_process_of_its_own(tiny_hed: Path) -> None:
    proposal = propose(node("hed", str(tiny_hed)), side=256, workers=2)
    assert 0.05 < proposal.one_gb < 4
    assert 0 <= proposal.further_gb < proposal.one_gb
    assert 1 <= proposal.batch_size <= 128
    assert str(proposal).startswith(f"hed: batch_size {proposal.batch_size} (now 1)")


def test_only_networks_that_take_several_images_have_batches(tiny_hed: Path) -> None:
    assert has_batches(node("hed", str(tiny_hed)))
    assert not has_batches(node("hed", "gradient"))
    assert not has_batches(node("mask", str(tiny_hed)))  # whatever its weights, it takes images singly
