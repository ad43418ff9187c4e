from __future__ import annotations

from collections.abc import Sequence

import pytest

from sluice.preprocess.graph import GraphError, Parameters, Stage, Weights, build_graph
from sluice.preprocess.record import Record


class Knobs(Parameters):
    low: float = 1


class Made(Stage[Knobs]):
    """A stage of any name, for the graph alone."""

    def __init__(self, name: str, reads: tuple[str, ...], writes: tuple[str, ...], low: float = 1, cpus: int = 1):
        super().__init__(Knobs(low=low, cpus=cpus))
        self.name, self.reads, self.writes = name, reads, writes  # type: ignore[misc]

    def __call__(self, records: Sequence[Record]) -> None:
        raise AssertionError(f"the graph runs nothing, and was given {records}")


def marks(*stages: Made, weights: dict[str, Weights] | None = None) -> dict[str, str]:
    return {node.name: node.fingerprint for node in build_graph(stages, weights or {})}


IMAGE = Made("image", ("raw",), ("jpg",))
CANNY = Made("canny", ("jpg",), ("canny.png",))
SEGMENTS = Made("segments", ("jpg",), ("segments.png",))
MASK = Made("mask", ("jpg", "segments.png"), ("mask.png",))


def test_parents_come_first_whatever_the_order_given() -> None:
    assert list(marks(MASK, SEGMENTS, IMAGE)) == ["image", "segments", "mask"]


def test_a_changed_knob_changes_its_stage_and_what_reads_from_it_only() -> None:
    before = marks(IMAGE, CANNY, SEGMENTS, MASK)
    after = marks(IMAGE, CANNY, Made("segments", ("jpg",), ("segments.png",), low=2), MASK)
    assert {name for name in before if before[name] != after[name]} == {"segments", "mask"}


def test_threads_and_defaults_spelled_out_change_no_fingerprint() -> None:
    assert marks(IMAGE) == marks(Made("image", ("raw",), ("jpg",), low=1, cpus=4))


def test_other_weights_change_the_fingerprint() -> None:
    assert marks(IMAGE, weights={"image": Weights("a")}) != marks(IMAGE, weights={"image": Weights("b")})


def test_a_field_without_a_writer_is_refused() -> None:
    with pytest.raises(GraphError, match=r"'mask' reads the field 'segments.png', which no stage"):
        marks(IMAGE, MASK)


def test_a_field_with_two_writers_is_refused() -> None:
    with pytest.raises(GraphError, match="both write the field 'jpg'"):
        marks(IMAGE, Made("other", ("raw",), ("jpg",)))


def test_a_circle_is_refused() -> None:
    with pytest.raises(GraphError, match="in a circle: a, b"):
        marks(Made("a", ("y",), ("x",)), Made("b", ("x",), ("y",)))
