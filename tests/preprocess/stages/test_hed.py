from collections.abc import Callable
from pathlib import Path

import numpy as np

from sluice.preprocess.perception.edges import gradient
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.hed import Hed, HedParameters


def _edges(weights: Path, batch_size: int, records: list[Record]) -> list[bytes]:
    stage = Hed(HedParameters(model=str(weights), batch_size=batch_size))
    stage.open(weights)
    for start in range(0, len(records), batch_size):
        stage(records[start : start + batch_size])
    return [record.encode("hed.png") for record in records]


def test_records_of_several_sizes_in_one_batch(tiny_hed: Path, scene: Callable[..., Record]) -> None:
    sizes = [(64, 64), (40, 72), (64, 64), (40, 72), (64, 64)]
    records = [scene(seed, *size) for seed, size in enumerate(sizes)]
    _edges(tiny_hed, 4, records)
    for record, size in zip(records, sizes, strict=True):
        assert check_value(FIELDS["hed.png"], record["hed.png"], size) is None
        assert record["hed.png"].std() > 1


def test_the_same_bytes_in_any_company(tiny_hed: Path, scene: Callable[..., Record]) -> None:
    together = _edges(tiny_hed, 4, [scene(seed) for seed in range(4)])
    alone = _edges(tiny_hed, 4, [scene(2)])
    assert alone == together[2:3]


def test_the_gradient_needs_no_weights(scene: Callable[..., Record]) -> None:
    stage = Hed(HedParameters(model="gradient"))
    assert stage.weights is None
    assert Hed.fallback in Hed.classical
    stage.open(None)
    record = scene(0)
    stage([record])
    np.testing.assert_array_equal(record["hed.png"], gradient(record["jpg"]))
