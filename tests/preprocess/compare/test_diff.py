"""Each way two versions can differ: what changed, and which knob or picture explains it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from sluice.infra.commits import Commit
from sluice.preprocess.compare.diff import Diff, diff
from sluice.preprocess.compare.drift import measure_drift
from sluice.preprocess.compare.record_diff import EARLIER, LIMITED, NEW, UNEXPLAINED, UNPLANNED
from sluice.preprocess.planning.build import read_commits
from sluice.preprocess.record import FIELDS
from sluice.preprocess.shards import read_shard, write_shard
from sluice.preprocess.version.making import make_manifest
from sluice.preprocess.version.manifest import store_version
from sluice.preprocess.version.reading import shard_outputs
from tests.preprocess.builds import CHEAP_STAGES, BuiltVersion, write_photo

Built = Callable[..., BuiltVersion]


def key_of(photo: Path) -> str:
    return hashlib.sha256(photo.read_bytes()).hexdigest()[:16]


def between(a: BuiltVersion, b: BuiltVersion) -> Diff:
    return diff(b[0].storage, a[1], b[1], workers=2)


def test_a_version_and_itself_are_the_same(built: Built) -> None:
    one = built()
    found = between(one, one)
    assert found.same
    assert found.same_shards == found.shards == 3
    assert {d.statistic for d in found.drift} == {0}
    assert {"caption_characters", "depth_mean", "edge_density", "original_width"} <= {d.scalar for d in found.drift}


def test_a_knob_changes_one_field_and_is_named(built: Built) -> None:
    one = built()
    two = built(stages={**CHEAP_STAGES, "canny": {"low": 20, "high": 40, "cpus": 2}})
    found = between(one, two)
    assert found.changed
    assert {tuple(fields) for fields in found.changed.values()} == {("canny.png",)}
    assert [str(change) for change in found.stages] == ["canny: high 200.0 -> 40.0, low 100.0 -> 20.0"]
    assert found.causes == {str(found.stages[0]): len(found.changed)}
    assert not found.added
    assert not found.removed
    drifted = {d.scalar: d for d in found.drift}
    assert drifted["edge_density"].statistic > drifted["depth_mean"].statistic == 0
    json.dumps(found.as_dict())


def test_tars_of_equal_digests_are_not_read(built: Built) -> None:
    one = built()
    build, two = built(stages={**CHEAP_STAGES, "canny": {"low": 20, "high": 40}})
    for outputs in shard_outputs(build.storage, two):
        for output in outputs:
            if output.stage != "canny":
                Path(build.storage.uri, output.file).unlink()
    assert between(one, (build, two)).changed


def test_a_change_upstream_goes_through_to_what_depends_on_it(built: Built) -> None:
    one = built()
    two = built(stages={**CHEAP_STAGES, "image": {"size": 32, "min_side": 0}})
    found = between(one, two)
    assert [str(change) for change in found.stages] == [
        "image: size 64 -> 32",
        "canny: through image",
        "depth: through image",
    ]
    assert len(found.changed) == 9
    assert set(found.changed[min(found.changed)]) == {"canny.png", "depth.png", "jpg", "json"}


def test_a_new_and_a_lost_stage(built: Built) -> None:
    one = built()
    two = built(stages={"image": CHEAP_STAGES["image"], "depth": CHEAP_STAGES["depth"]})
    found = between(one, two)
    assert (found.new_fields, found.lost_fields) == ([], ["canny.png"])
    assert str(found.stages[0]) == "canny: no longer run"
    back = between(two, one)
    assert (back.new_fields, back.lost_fields) == (["canny.png"], [])
    assert not back.changed
    assert not back.same


def test_new_images_gone_images_and_changed_captions(built: Built, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    one = built()
    gone = key_of(photos / "p2.png")
    (photos / "p2.png").unlink()
    (photos / "p5.txt").write_text("another caption altogether")
    new = write_photo(photos, "zebra", 99, "a new one")
    found = between(one, built(prune=True))
    assert found.added == {key_of(new): NEW}
    assert found.removed == {gone: UNPLANNED}
    assert found.changed == {key_of(photos / "p5.png"): ["json", "txt"]}
    assert found.causes == {"its captions or other files beside the image changed": 1}
    assert 0 < found.same_shards < found.shards


def test_other_shards_of_the_same_records_change_nothing(built: Built) -> None:
    found = between(built(), built(shard_size=2))
    assert found.same
    assert found.same_shards == 0
    assert {d.statistic for d in found.drift} == {0}


def test_a_limit_is_not_mistaken_for_lost_images(built: Built) -> None:
    whole, part = built(), built(limit=2)
    found = between(whole, part)
    assert set(found.removed.values()) == {LIMITED}
    assert set(between(part, whole).added.values()) == {NEW}


def test_what_came_after_a_version_is_not_taken_for_its_limit(built: Built, tmp_path: Path) -> None:
    first = built()
    write_photo(tmp_path / "photos", "p90", 90)
    assert set(between(built(), first).removed.values()) == {EARLIER}


def test_what_a_filter_leaves_out_and_lets_back_in(built: Built, tmp_path: Path) -> None:
    small = write_photo(tmp_path / "photos", "small", 5, "small", side=40)
    one, two = built(), built(stages={**CHEAP_STAGES, "image": {"size": 64, "min_side": 48}})
    found = between(one, two)
    assert found.removed == {key_of(small): "left out by 'image' (filtered)"}
    assert between(two, one).added == {key_of(small): "was left out by 'image' (filtered)"}
    assert not found.changed


def test_other_bytes_under_the_same_fingerprint_are_called_unexplained(built: Built) -> None:
    build, before = built()
    output = next(o for outputs in shard_outputs(build.storage, before) for o in outputs if o.stage == "canny")
    root = Path(build.storage.uri)
    with (root / output.file).open("rb") as stream:
        records = dict(read_shard(stream))
    key = min(records)
    records[key]["canny.png"] = FIELDS["canny.png"].encode(np.full((64, 64), 255, np.uint8))
    written = write_shard(root / output.prefix / f"{output.shard}-other.tar", sorted(records.items()))
    said = json.loads((root / output.commit).read_text())
    said.update(file=f"{output.shard}-other.tar", digest=written.digest, size=written.size)
    (root / output.commit).write_text(json.dumps(asdict(Commit(**said))))
    after, files = make_manifest(build, read_commits(build), build.plan.shards)
    store_version(build.storage, after, files)
    found = diff(build.storage, before, after)
    assert found.changed == {key: ["canny.png"]}
    assert found.causes == {UNEXPLAINED: 1}


def test_drift_tells_a_shift_from_chance() -> None:
    rng = np.random.default_rng(0)
    one, again, shifted = rng.normal(0, 1, 2000), rng.normal(0, 1, 2000), rng.normal(0.5, 1, 2000)
    (same,) = measure_drift({"x": one, "only here": one}, {"x": again})
    (moved,) = measure_drift({"x": one}, {"x": shifted})
    assert same.p_value > 0.01
    assert moved.p_value < 1e-20
    assert moved.statistic == pytest.approx(0.197, abs=0.05)  # 2 Phi(0.25) - 1
    assert moved.mean[1] - moved.mean[0] == pytest.approx(0.5, abs=0.1)
    assert moved.quantiles[1][1] == pytest.approx(0.5, abs=0.1)
