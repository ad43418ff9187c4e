"""Whatever a folder holds, a build ends, and in = out + duplicates + quarantined + filtered, each with its reason."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.flows.dataset.tally import TooManyFailures
from sluice.infra.execution.placement import ExecutionError
from sluice.preprocess.planning.build import Build
from sluice.preprocess.version.manifest import Version, table_rows
from tests.flows.conftest import THIN, config_for, write_pictures
from tests.flows.dataset.corpus import FATES, bomb, jpeg, write_corpus
from tests.flows.records import Records, read_records

Building = Callable[..., tuple[Build, Version, str]]
PLAIN = {"image": THIN["image"]}


def quarantine_of(build: Build, version: Version) -> dict[str, dict[str, str]]:
    """The entries of the quarantine, by URI."""
    entries = list(table_rows(build.storage, version, "quarantine.parquet"))
    assert len({entry["uri"] for entry in entries}) == len(entries)
    return {entry["uri"]: entry for entry in entries}


def origin(records: Records, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(records[uri]["json"])["origin"]
    return found


def test_every_kind_of_bad_image_is_accounted_for_and_the_good_ones_are_there(build: Building, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(20))
    write_corpus(tmp_path / "in")
    stages = {**THIN, "poison": {}}
    config = config_for(tmp_path / "in", tmp_path / "out", stages=stages, max_failures=1.0, workers=2)

    prepared, version, _ = build(config)

    found = {uri: (e["stage"], e["kind"]) for uri, e in quarantine_of(prepared, version).items()}
    assert found == {uri: (fate.stage, fate.kind) for uri, fate in FATES.items() if fate}
    for uri, entry in quarantine_of(prepared, version).items():
        assert FATES[uri].reason in entry["reason"], uri
    records = read_records(tmp_path / "out", version)
    good = {f"{seed:05}.jpg" for seed in range(20)} | {uri for uri, fate in FATES.items() if fate is None}
    assert records.keys() == good | {"twin-again.jpg"}
    assert all(
        record.keys() == {"jpg", "txt", "json", "canny.png", "depth.png", "poison.json"} for record in records.values()
    )
    fates = [fate.kind for fate in FATES.values() if fate]
    assert version.manifest["counts"] == {
        "images": 20 + len(FATES) + 2,
        "records": len(good) + 1,
        "duplicates": 1,
        "quarantined": fates.count("failed"),
        "filtered": fates.count("filtered"),
    }
    assert origin(records, "twin-again.jpg")["duplicates"] == ["twin.jpg"]
    assert records["latin-caption.jpg"]["txt"].decode() == "un caf\N{REPLACEMENT CHARACTER}"
    assert "not UTF-8" in origin(records, "latin-caption.jpg")["warnings"][0]
    assert "not JSON" in origin(records, "nested-json.jpg")["warnings"][0]


def test_too_many_failures_stop_the_run_with_reasons_and_keep_what_is_done(build: Building, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(16))
    for number in range(4):
        (tmp_path / "in" / f"{number:05}.jpg").write_bytes(b"nothing %d" % number)
    config = config_for(tmp_path / "in", tmp_path / "out", stages=PLAIN, shard_size=4, max_failures=0.1, workers=1)

    with pytest.raises(TooManyFailures, match="4 images failed, and max_failures allows 2") as stopped:
        build(config)
    assert stopped.value.exit_code == 1
    assert re.search(r"\n  0000\d\.jpg and \d more \(image\): no readable", str(stopped.value))
    assert str(stopped.value).count("no readable") == 1
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("stages/**/*.tar")}
    assert kept

    _, version, _ = build(config.model_copy(update={"max_failures": 0.3}))
    assert version.manifest["counts"]["quarantined"] == 4
    assert version.manifest["counts"]["records"] == 12
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_unreadable_files_count_as_failures_too(build: Building, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", range(8))
    for number in range(2):
        (tmp_path / "in" / f"gone-{number}.jpg").symlink_to("nowhere")
    config = config_for(tmp_path / "in", tmp_path / "out", stages=PLAIN, shard_size=4, max_failures=0.1, workers=1)
    with pytest.raises(TooManyFailures, match=r"gone-0\.jpg and 1 more \(index\): .*could not be read"):
        build(config)
    _, version, _ = build(config, limit=1)
    assert version.manifest["counts"] == {
        "images": 4, "records": 4, "duplicates": 0, "quarantined": 0, "filtered": 0,
    }  # fmt: skip


def tar_of(path: Path, members: dict[str, bytes | None]) -> None:
    """A tar of files; `None` stands for a link to /etc/passwd."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.rstrip("+"))
            info.size = len(data or b"")
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info, io.BytesIO(data or b""))


def test_tars_broken_in_every_way(build: Building, tmp_path: Path) -> None:
    """What stands before a break is good, and the break is one image that could not be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    tar_of(folder / "good.tar", {f"{n}.jpg": jpeg(n) for n in range(4)})
    tar_of(folder / "middle.tar", {f"{n}.jpg": jpeg(n) for n in range(4, 10)})
    whole = (folder / "middle.tar").read_bytes()
    third = whole.index(b"6.jpg")
    (folder / "middle.tar").write_bytes(whole[:third] + b"\x55" * 512 + whole[third + 512 :])
    tar_of(folder / "cut.tar", {f"{n}.jpg": jpeg(n) for n in range(10, 14)})
    whole = (folder / "cut.tar").read_bytes()
    (folder / "cut.tar").write_bytes(whole[: whole.index(b"12.jpg") + 600])
    tar_of(folder / "odd.tar", {"a.jpg": jpeg(20), "b.jpg": jpeg(21), "a.jpg+": jpeg(22), "../c.jpg": jpeg(23),
                                "d.jpg": None, "e.png": bomb(30_000), "f.jpg": b""})  # fmt: skip
    (folder / "not.tar").write_bytes(b"no tar at all" * 100)
    source = {"kind": "webdataset", "uri": str(folder)}
    config = config_for(source, tmp_path / "out", stages=PLAIN, max_failures=1.0, workers=1)

    prepared, version, _ = build(config)

    quarantined = {re.sub(r"@\d+", "@", uri): e["reason"] for uri, e in quarantine_of(prepared, version).items()}
    expected = {
        "middle.tar@": "the tar breaks at byte",
        "cut.tar@": "the tar breaks at byte",
        "not.tar@": "the tar breaks at byte 0",
        "odd.tar#a.jpg@": "a duplicate key: 'a' came before in this tar",
        "odd.tar#../c.jpg@": "climbs out",
        "odd.tar#d.jpg@": "a link",
        "odd.tar#e.png": "too many pixels",
        "odd.tar#f.jpg": "the file is empty",
    }
    assert quarantined.keys() == expected.keys()
    assert [uri for uri, reason in expected.items() if reason not in quarantined[uri]] == []
    records = read_records(tmp_path / "out", version)
    good = {f"good.tar#{n}.jpg" for n in range(4)} | {"middle.tar#4.jpg", "middle.tar#5.jpg"}
    assert records.keys() == good | {"cut.tar#10.jpg", "cut.tar#11.jpg", "odd.tar#a.jpg", "odd.tar#b.jpg"}
    counts = version.manifest["counts"]
    assert counts["images"] == len(records) + len(expected)
    assert (counts["records"], counts["quarantined"]) == (len(records), len(expected))


@pytest.mark.parametrize("kilobytes", [1, 24])
def test_a_full_disk_stops_the_run_readably_and_the_next_goes_on(
    build: Building, tmp_path: Path, kilobytes: int
) -> None:
    """A tar of four 64 x 64 arrays is 52 kB: neither its scratch copy nor the shard fits."""
    write_pictures(tmp_path / "in", range(4))
    stages = {"image": THIN["image"], "cramped": {"kilobytes": kilobytes}}
    config = config_for(tmp_path / "in", tmp_path / "out", stages=stages, workers=1)
    with pytest.raises(ExecutionError, match=r"cramped/.*could not be written.*run the same command again: it resumes"):
        build(config)
    assert list((tmp_path / "out" / "stages" / "image").rglob("*.tar"))
    assert not list((tmp_path / "out").rglob("stages/cramped/**/*.*"))

    roomy = {**stages, "cramped": {"kilobytes": 1 << 20}}
    _, version, said = build(config.model_copy(update={"stages": roomy}))
    assert "image:" not in said
    assert version.manifest["counts"]["records"] == 4


def test_retry_reads_again_what_could_not_be_read(build: Building, tmp_path: Path) -> None:
    (tmp_path / "locked").touch()
    source = {"kind": "colours", "uri": "none", "locked": str(tmp_path / "locked")}
    config = config_for(source, tmp_path / "out", stages=PLAIN, max_failures=1.0, workers=1)
    prepared, version, _ = build(config)
    assert {e["reason"] for e in quarantine_of(prepared, version).values()} == {"the paint box is locked"}
    assert version.manifest["counts"]["records"] == 1

    (tmp_path / "locked").unlink()
    assert build(config)[1].id == version.id
    counts = build(config, retry=True)[1].manifest["counts"]
    assert (counts["records"], counts["quarantined"]) == (5, 0)
