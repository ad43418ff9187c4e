from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sluice.preprocess.planning.build import prepare
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.record import decode_png
from sluice.preprocess.sources import Raw, SourceConfig, SourceError
from sluice.preprocess.sources.multigen import MultiGen
from sluice.preprocess.sources.stored import LARGEST_FILE

Picture = Callable[..., bytes]

WALL, SKY = (120, 120, 120), (6, 230, 230)


def segmentation() -> bytes:
    """Wall on the left, sky on the right, in ADE20K's colours."""
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:, :16], picture[:, 16:] = WALL, SKY
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def put(root: Path, path: str, data: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


def table(root: Path, task: str, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    put(root, f"json_files/aesthetics_plus_all_group_{task}_all.json", text.encode())


def release(root: Path, picture: Picture) -> None:
    """Two named images and one that no table names; a line whose image is missing, a condition that is."""
    for seed, path in enumerate(
        ["aesthetics_6_plus_0/a.jpg", "aesthetics_6_plus_0/b é.jpg", "aesthetics_6_plus_0/c.jpg"]
    ):
        put(root, f"images/{path}", picture(seed))
    put(root, "conditions/group_0_canny/a.png", picture(10, "PNG"))
    put(root, "conditions/group_0_segbase/a.png", segmentation())
    table(
        root,
        "canny",
        [
            {"source": "./aesthetics_6_plus_0/a.jpg", "prompt": "a", "control_canny": "group_0_canny/a.png"},
            {"source": "aesthetics_6_plus_0/b é.jpg", "prompt": "b", "control_canny": "group_0_canny/gone.png"},
            {"source": "aesthetics_6_plus_0/gone.jpg", "prompt": "gone", "control_canny": "group_0_canny/gone.png"},
        ],
    )
    table(
        root,
        "seg",
        [{"source": "aesthetics_6_plus_0/a.jpg", "prompt": "a again", "control_seg": "./group_0_segbase/a.png"}],
    )


def source(root: Path | str) -> MultiGen:
    return MultiGen(SourceConfig(uri=str(root)))


def scan(root: Path | str) -> dict[str, Raw]:
    multigen = source(root)
    return {raw.address.uri: raw for raw in multigen.scan(list(multigen.items()))}


def test_lines_of_all_tables_are_put_together(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)

    found = scan(tmp_path)

    assert list(found) == ["images/aesthetics_6_plus_0/a.jpg", "images/aesthetics_6_plus_0/b é.jpg"]
    first, second = found.values()
    assert set(first.fields) == {"raw", "raw.json", "raw.canny", "raw.segments"}
    assert first.fields["raw"] == picture(0)
    assert first.fields["raw.canny"] == picture(10, "PNG")
    assert json.loads(first.fields["raw.json"])["captions"] == ["a"]
    labels = decode_png(first.fields["raw.segments"])
    assert labels.dtype == np.uint16
    assert np.unique(labels[:, :16]).tolist() == [2]
    assert np.unique(labels[:, 16:]).tolist() == [1]
    assert set(second.fields) == {"raw", "raw.json"}
    assert "gone.png" in json.loads(second.fields["raw.json"])["origin"]["warnings"][0]


def test_a_bucket_reads_like_a_folder(tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]) -> None:
    release(tmp_path, picture)
    local, remote = scan(tmp_path), scan(uploaded(tmp_path))
    assert list(remote) == list(local)
    first = "images/aesthetics_6_plus_0/a.jpg"
    assert remote[first] == local[first]


def test_read_needs_no_table(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    first = next(iter(scan(tmp_path).values()))
    for file in (tmp_path / "json_files").iterdir():
        file.unlink()
    (whole,) = source(tmp_path).read([first.address], set(first.fields))
    (bare,) = source(tmp_path).read([first.address], {"raw", "raw.canny"})
    assert whole == first
    assert set(bare.fields) == {"raw", "raw.canny"}


def test_a_condition_may_not_climb_out(tmp_path: Path, picture: Picture) -> None:
    root = tmp_path / "release"
    put(root, "images/a.jpg", picture(0))
    put(tmp_path, "secret.png", picture(1, "PNG"))
    table(root, "hed", [{"source": "a.jpg", "prompt": "a", "control_hed": "../../secret.png"}])
    (raw,) = scan(root).values()
    assert "raw.hed" not in raw.fields
    assert "climbs out" in json.loads(raw.fields["raw.json"])["origin"]["warnings"][0]


def test_a_condition_that_is_no_file_of_the_release_is_not_read(tmp_path: Path, picture: Picture) -> None:
    root = tmp_path / "release"
    put(root, "images/a.jpg", picture(0))
    put(tmp_path, "secret.png", picture(1, "PNG"))
    put(root, "conditions/huge.png", b"")
    os.truncate(root / "conditions/huge.png", LARGEST_FILE + 1)
    os.mkfifo(root / "conditions/pipe.png")
    (root / "conditions/link.png").symlink_to(tmp_path / "secret.png")
    (root / "conditions/gone.png").symlink_to("nothing.png")
    wanted = {"canny": "link", "hed": "pipe", "depth": "huge", "openpose": "x" * 300, "seg": "gone"}
    line = {"source": "a.jpg", "prompt": "a", **{f"control_{task}": f"{name}.png" for task, name in wanted.items()}}
    table(root, "all", [line])

    (raw,) = scan(root).values()

    assert set(raw.fields) == {"raw", "raw.json"}
    warnings = json.loads(raw.fields["raw.json"])["origin"]["warnings"]
    said = {warning.split(":")[0].removeprefix("raw."): warning for warning in warnings}
    assert "leads out of the source's folder" in said["canny"]
    assert "more than the 536870912" in said["depth"]
    assert all("it is not there" in said[name] for name in ("hed", "pose", "segments"))


def test_lines_that_are_not_json_are_passed_over(tmp_path: Path, picture: Picture) -> None:
    put(tmp_path, "images/a.jpg", picture(0))
    put(tmp_path, "json_files/x.jsonl", b'{"source": "a.j\n\n[]\n\xff\n{"source": "a.jpg", "prompt": null}\n')
    (raw,) = scan(tmp_path).values()
    assert json.loads(raw.fields["raw.json"])["captions"] == []


def test_what_was_expected_is_said(tmp_path: Path, picture: Picture) -> None:
    with pytest.raises(SourceError, match="json_files/"):
        list(source(tmp_path).items())
    put(tmp_path, "json_files/x.json", b'{"not": "lines"}')
    with pytest.raises(SourceError, match="images/"):
        list(source(tmp_path).items())
    put(tmp_path, "images/a.jpg", picture(0))
    with pytest.raises(SourceError, match="no line of JSON with a 'source'"):
        scan(tmp_path)


def test_a_changed_table_changes_every_stamp(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path, picture)
    before = {item.stamp for item in source(tmp_path).items()}
    table(tmp_path, "seg", [{"source": "aesthetics_6_plus_0/c.jpg", "prompt": "c"}])
    assert not before & {item.stamp for item in source(tmp_path).items()}
    assert "images/aesthetics_6_plus_0/c.jpg" in scan(tmp_path)


def test_an_image_that_no_table_names_is_neither_a_record_nor_a_failure(tmp_path: Path, picture: Picture) -> None:
    release(tmp_path / "in", picture)
    config = DatasetConfig(
        source={"kind": "multigen", "uri": str(tmp_path / "in")}, out=str(tmp_path / "out"), stages={"image": {}}
    )
    plan = prepare(config, lambda function, bundles: [function(bundle) for bundle in bundles]).plan
    assert (plan.images, plan.records, list(plan.unreadable)) == (2, 2, [])
