"""Plans grown by columns are those that the rule makes of all images in memory, through histories of an index."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sluice.infra.storage import Storage, storage
from sluice.preprocess.planning.plan import store_plan
from tests.preprocess.planning.histories import PREFIX, History


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_by_columns_is_the_one_that_the_rule_makes(tmp_path: Path, seed: int) -> None:
    history = History(storage(tmp_path / "columns"), random.Random(seed))
    beside = storage(tmp_path / "rule")
    for turn in range(12):
        for _ in range(history.random.randrange(1, 4)):
            history.step()
        retry = turn > 0 and history.random.random() < 0.2
        expected, made = history.by_rule(retry), history.made(retry)
        assert made.plan.shards == expected.plan.shards
        assert made.plan.unreadable == expected.plan.unreadable
        assert (made.plan.images, made.plan.duplicates) == (expected.plan.images, expected.plan.duplicates)
        store_plan(beside, PREFIX, expected)
        assert files(history.place) == files(beside)


def files(place: Storage) -> dict[str, bytes]:
    """The rows of all plans so far."""
    return {entry.path: place.read(entry.path) for entry in place.list(f"{PREFIX}/rows-")}
