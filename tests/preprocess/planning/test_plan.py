from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.infra.storage import storage
from sluice.preprocess.planning.index import Image
from sluice.preprocess.planning.plan import (
    DamagedPlan,
    Draft,
    Row,
    lay_out,
    plan_file,
    read_plans,
    shard_id,
    store_plan,
)
from sluice.preprocess.planning.rows import read_drafts, read_rows
from sluice.preprocess.planning.rule import grow


def image(uri: str, key: str = "", container: str = "", side: str = "s") -> Image:
    return Image(uri, uri, "1", "", container, 9, key or f"k{uri}", side, "", "")


def keys(drafts: list[Draft | None]) -> list[list[str]]:
    return [[row.key for row in draft.rows] if draft else [] for draft in drafts]


def test_the_plan_does_not_depend_on_the_order_of_images() -> None:
    images = [image(f"{i:02}") for i in range(10)]
    assert grow([], images, 4, {}) == grow([], images[::-1], 4, {})


def test_rows_are_cut_evenly_and_sorted_by_key() -> None:
    images = [image(f"{i:02}", key=f"k{9 - i}") for i in range(10)]
    assert keys(grow([], images, 4, {})) == [["k7", "k8", "k9"], ["k4", "k5", "k6"], ["k0", "k1", "k2", "k3"]]


def test_additions_make_new_shards_only() -> None:
    images = [image(f"{i:02}") for i in range(8)]
    before = grow([], images, 4, {})
    after = grow(before, [image("00a"), *images, image("99")], 4, {})
    assert after[:2] == before
    assert keys(after[2:]) == [["k00a", "k99"]]


def test_containers_are_not_mixed() -> None:
    images = [image("a#1", container="a"), image("a#2", container="a"), image("b#1", container="b")]
    assert keys(grow([], images, 10, {})) == [["ka#1", "ka#2"], ["kb#1"]]


def test_of_duplicates_the_smallest_uri_wins_and_lists_the_others() -> None:
    drafts = grow([], [image("z", "k"), image("b", "k"), image("c", "k")], 10, {})
    assert drafts[0] is not None
    assert drafts[0].rows == (Row("k", "b", "b", "", "s", ("c", "z")),)


def test_a_later_duplicate_with_a_smaller_uri_changes_nothing() -> None:
    before = grow([], [image("b", "k")], 10, {})
    assert grow(before, [image("a", "k"), image("b", "k")], 10, {}) == before


def test_a_near_duplicate_is_listed_with_the_image_it_looks_like() -> None:
    drafts = grow([], [image("a"), image("b"), image("c")], 10, {"b": "a"})
    assert drafts[0] is not None
    assert [(row.uri, row.duplicates) for row in drafts[0].rows] == [("a", ("b",)), ("c", ())]


def test_a_changed_caption_gives_its_shard_a_new_id_and_no_other() -> None:
    images = [image(f"{i}") for i in range(4)]
    before = grow([], images, 2, {})
    after = grow(before, [image("0", side="other"), *images[1:]], 2, {})
    assert before[1] == after[1]
    ids = [[shard_id(draft.rows) for draft in drafts if draft] for drafts in (before, after)]
    assert ids[0][0] != ids[1][0]
    assert ids[0][1] == ids[1][1]


def test_a_changed_file_leaves_its_shard_and_comes_in_a_new_one() -> None:
    before = grow([], [image("a"), image("b")], 2, {})
    after = grow(before, [image("a", "new"), image("b")], 2, {})
    assert keys(after) == [["kb"], ["new"]]


def test_a_row_whose_file_is_gone_moves_to_its_duplicate_or_leaves() -> None:
    before = grow([], [image("a", "k"), image("b", "k"), image("c")], 10, {})
    after = grow(before, [image("b", "k")], 10, {})
    assert after[0] is not None
    assert [(row.key, row.uri) for row in after[0].rows] == [("k", "b")]


def test_an_emptied_shard_keeps_its_place() -> None:
    before = grow([], [image("a"), image("b")], 1, {})
    assert keys(grow(before, [image("b")], 1, {})) == [[], ["kb"]]


def test_a_stored_plan_reads_back(tmp_path: Path) -> None:
    place = storage(tmp_path)
    drafts: list[Draft | None] = grow([], [image(f"{i:02}") for i in range(9)], 2, {})
    drafts[1] = None
    facts = {
        "index": "a",
        "shard_size": 2,
        "images": 9,
        "duplicates": 0,
        "unreadable": [{"uri": "x", "reason": "gone"}],
    }
    layout = lay_out(drafts, facts)
    assert list(place.list()) == [], "laying out writes nothing"
    store_plan(place, "plan", layout)
    plan, stored = read_plans(place, "plan")[plan_file(facts)]
    assert plan == layout.plan
    assert read_drafts(place, "plan", plan, stored) == drafts
    assert [row.key for row in read_rows(place, "plan", plan.shards[1])] == ["k03", "k04"]


@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b'{"shards": [1]}'])
def test_a_damaged_plan_is_named(tmp_path: Path, text: bytes) -> None:
    place = storage(tmp_path)
    place.write("plan/plan-1.json", text)
    with pytest.raises(DamagedPlan, match=r"plan/plan-1\.json is damaged .* delete it and build again"):
        read_plans(place, "plan")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"made_of": [1]}, "made_of: should be an object"), ({"places": None}, "places: should be a valid integer")],
)
def test_a_plan_of_wrong_values_is_named_with_them(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    place = storage(tmp_path)
    whole = {"index": "i", "shard_size": 4, "images": 0, "duplicates": 0, "unreadable": [], "places": 0, "shards": []}
    place.write("plan/plan-1.json", json.dumps(whole).encode())
    assert list(read_plans(place, "plan")) == ["plan-1.json"]
    place.write("plan/plan-1.json", json.dumps({**whole, **wrong}).encode())
    with pytest.raises(DamagedPlan, match=rf"plan-1\.json is damaged \({said}\)"):
        read_plans(place, "plan")


def test_a_duplicate_that_is_one_no_more_is_not_told_as_one() -> None:
    near = grow([], [image("a"), image("b")], 4, {"b": "a"})
    assert [row.duplicates for draft in near if draft for row in draft.rows] == [("b",)]
    apart = grow(near, [image("a"), image("b")], 4, {})
    assert [(row.uri, row.duplicates) for draft in apart if draft for row in draft.rows] == [("a", ()), ("b", ())]
