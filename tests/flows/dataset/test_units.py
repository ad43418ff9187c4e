"""How the work of a build is cut: small enough to show and to share, large enough to fill batches."""

from __future__ import annotations

import pytest

from sluice.flows.dataset.units import rows_of, stage_units
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Node, build_graph
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.stages.canny import Canny, CannyParameters
from sluice.preprocess.stages.hed import Hed, HedParameters
from sluice.preprocess.stages.image import Image, ImageParameters
from sluice.preprocess.stages.segments import Segments, SegmentsParameters


def nodes(batch_size: int) -> dict[str, Node]:
    slow = Segments(SegmentsParameters(batch_size=batch_size))
    stages = [Image(ImageParameters()), Canny(CannyParameters()), Hed(HedParameters()), slow]
    return {node.name: node for node in build_graph(stages, {})}


def units_of(stage: str, records: int, batch_size: int = 1) -> list[Unit]:
    node = nodes(batch_size)[stage]
    return stage_units([(node, Shard(0, "s", "", records, "", 0))], {stage: {}}, retry=False)


@pytest.mark.parametrize(
    ("records", "batch_size", "lengths"),
    [
        (8, 1, [1] * 8),
        (20, 1, [3, 3, 3, 3, 3, 3, 2]),
        (1000, 1, [125] * 8),
        (3000, 1, [128] * 23 + [56]),
        (64, 16, [16] * 4),
        (8, 16, []),
        (1, 1, []),
    ],
)
def test_a_slow_stage_shows_eight_steps_of_a_shard_and_fills_its_batches(
    records: int, batch_size: int, lengths: list[int]
) -> None:
    *stretches, whole = units_of("segments", records, batch_size)
    assert [unit.payload.span[1] - unit.payload.span[0] for unit in stretches] == lengths
    assert whole.payload.span is None
    assert whole.needs == {unit.name for unit in stretches}
    rows = rows_of([*stretches, whole])
    assert sum(rows.values()) == records
    assert rows[whole.name] == (0 if lengths else records)


def test_a_fast_stage_takes_a_shard_at_once() -> None:
    (whole,) = units_of("canny", 1000)
    assert whole.payload.span is None
