from __future__ import annotations

import random
from pathlib import Path

import pytest

from sluice.infra.storage import storage
from sluice.preprocess.planning.catalogue import read_catalogue
from sluice.preprocess.planning.layout import make_layout
from sluice.preprocess.planning.plan import store_plan
from tests.preprocess.planning.histories import IDENTITY, INDEX, PREFIX, History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """An index of three tars and ten pictures, not planned yet."""
    made = History(storage(tmp_path), random.Random(5))
    for item in ("a.tar", "b.tar", "c.tar"):
        made.write([item])
    made.write([f"{i}.jpg" for i in range(10)])
    return made


def test_a_plan_stands_while_its_index_does(history: History) -> None:
    first = history.made()
    assert first.rows
    for retry in (False, True):
        again = history.made(retry)
        assert not again.rows
        assert again.plan == first.plan
        assert again.stored == first.stored


def test_a_plan_does_not_stand_where_duplicates_are_told_otherwise_or_records_removed(history: History) -> None:
    history.made()
    assert history.made(near_bits=4).rows
    assert not history.made(near_bits=4).rows
    assert history.made(near_bits=5).rows
    history.buried.add(next(image.key for image in history.images(False) if image.key))
    assert history.made(near_bits=5).rows


def test_a_plan_whose_index_lost_a_part_is_grown_in_memory(history: History) -> None:
    history.by_rule(False)
    history.made()
    history.place.delete([next(iter(history.place.list(f"{INDEX}/"))).path])
    assert history.made().plan == history.by_rule(False).plan


def test_an_index_elsewhere_starts_from_the_plan_of_the_same_images(history: History) -> None:
    first = history.made()
    for entry in list(history.place.list(f"{INDEX}/")):
        history.place.write(entry.path.replace(INDEX, "index/moved"), history.place.read(entry.path))
    catalogue = read_catalogue(history.place, "index/moved")
    identity = IDENTITY | {"index": "index/moved"}
    moved = make_layout(history.place, PREFIX, catalogue, history.removed, identity, None, False)
    store_plan(history.place, PREFIX, moved)
    assert moved.plan == first.plan
    history.made()
    assert not make_layout(history.place, PREFIX, catalogue, history.removed, identity, None, False).rows


def test_removed_records_come_back_when_their_tombstone_is_gone(history: History) -> None:
    first = history.made()
    key = next(image.key for image in history.images(False) if image.key)
    history.buried.add(key)
    assert history.made().plan.records == first.plan.records - 1
    history.buried.clear()
    assert history.made().plan.records == first.plan.records
