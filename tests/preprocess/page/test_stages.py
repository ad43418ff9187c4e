"""What a page says of stages."""

from __future__ import annotations

from dataclasses import replace

from sluice.infra.local import LocalStorage
from sluice.infra.page.blocks import Table
from sluice.preprocess.page.dataset import dataset_page, of_version
from sluice.preprocess.page.stages import notices, stage_table, work_of
from sluice.preprocess.version.manifest import Version
from tests.preprocess.page.made_pages import WHEN, section


def test_what_several_stages_say_is_said_once() -> None:
    absent, limits = "'dpt-large' is not here: cue instead", "`cue` guesses, at some length"
    stages = [
        {"name": name, "model": "cue", "writes": [f"{name}.png"], "notes": [absent, "unfit for training", limits]}
        for name in ("depth", "fg_depth")
    ]
    assert [(n.mark, n.text) for n in notices(stages, [])] == [
        ("unfit for training", "`depth.png`, `fg_depth.png`, made by cue"),
        ("depth, fg_depth", absent),
        ("depth, fg_depth", limits),
    ]
    shown = [{**stage, "version": 1, "fingerprint": "0123456789abcdef"} for stage in stages]
    table = stage_table(shown, {stage["name"]: work_of([]) for stage in shown}, 1)
    assert table.rows[0][0].notes == ["fall-back", "unfit for training"]


def test_timings_are_those_of_the_commits_that_the_version_is_made_of(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    shown = of_version(storage, version)
    table: Table = section(dataset_page(shown, WHEN), "stages")[0]
    row = dict(zip(table.columns, next(r for r in table.rows if r[0].text == "background"), strict=True))
    assert row["computed records"].text == "61"  # one more than the version holds, which canny left out
    assert row["worker time"].text == "1 min 9 s"  # 6 shards of 1.5 s and a second for each letter
    assert row["worker time"].bar == 1
    fewer = replace(version, manifest={**version.manifest, "shards": version.manifest["shards"][:2]})
    assert len(of_version(storage, fewer).commits["background"]) == 2
