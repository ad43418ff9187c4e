"""Weeks of a data set: new images, a turned knob, a take-down, the way back, and what each report says."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sluice.infra.storage import storage
from sluice.preprocess.version.manifest import read_version
from tests.flows.runs import Command

CONFIG = """
name: scenes
source: {kind: tabletop, uri: "120", size: 32}
out: my-data
shard_size: 40
workers: 2
stages: {image: {size: 32, min_side: 0}, canny: {}}
"""


@pytest.mark.slow
def test_a_data_set_is_kept_for_weeks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scenes.yaml").write_text(CONFIG)

    def sluice(*words: str, code: int = 0) -> str:
        ended, said = Command(["dataset", *words], tmp_path).end()
        assert ended == code, said
        return said

    def report(*words: str, code: int = 0) -> list[str]:
        return sluice("drift", "-c", "scenes.yaml", "--fail-over", "0.25", *words, code=code).splitlines()

    def latest() -> str:
        return read_version(storage("my-data"), "scenes").id

    sluice("build", "-c", "scenes.yaml")
    first = latest()
    assert report()[-1] == "nothing came before this version, so nothing can have drifted"

    more = ("-c", "scenes.yaml", "--source", "tabletop:160")
    sluice("build", *more)
    second = latest()
    said = report()
    assert said[1:3] == ["records: 40 came", "source: uri 120 -> 160"]
    assert said[-1].startswith("nothing drifted")

    sluice("build", *more, "--set", "stages.canny.low=10", "--set", "stages.canny.high=20")
    third = latest()
    said = report(code=1)
    assert said[1:3] == ["records: 160 made again", "stage canny: high 200.0 -> 20.0, low 100.0 -> 10.0"]
    assert said[-1].startswith("drifted: edge_density")

    page = Path("my-data", "datasets", "scenes", third, "drift.html").read_text()
    keys = pq.read_table(f"my-data/datasets/scenes/{third}/scenes-00001.parquet")["key"].to_pylist()
    named = [key for key in keys if key in page]
    gone = [*named, *(key for key in keys if key not in named)][:20]
    Path("gone.txt").write_text("\n".join(gone))
    sluice("verify", "--out", "my-data", "--absent", "gone.txt", code=1)
    sluice("remove", "my-data/datasets/scenes", "--keys", "gone.txt", "--withdraw")
    assert "no file holds or names any of the 20 keys" in sluice("verify", "--out", "my-data", "--absent", "gone.txt")
    said = report()
    assert said[0].startswith(f"scenes {third} -> {latest()}: images 140, records 140")
    assert said[1] == "records: 20 withdrawn from the version before"
    assert said[-1] == "nothing drifted: every distribution stayed as it was"

    taken_down = latest()
    sluice("alias", "my-data/datasets/scenes", "latest", second)
    assert report(code=1)[0].startswith(f"scenes {taken_down} -> {second}: images 140")
    assert "is whole" in sluice("verify", "-c", "scenes.yaml")
    assert report("--version", first)[-1] == "nothing came before this version, so nothing can have drifted"
    assert "no file holds or names any of the 20 keys" in sluice("verify", "--out", "my-data", "--absent", "gone.txt")
