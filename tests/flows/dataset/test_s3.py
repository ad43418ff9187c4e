"""Source and output on S3: the same bytes as on a disk, whatever the server does on the way, and few requests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import Any

import pytest

from sluice.infra.storage import storage
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.shards import write_shard
from sluice.preprocess.units.work import CHUNK
from sluice.preprocess.version.manifest import Version
from tests.faults.proxy import Fault, FaultProxy, seeded
from tests.faults.servers import SECRET, S3Server
from tests.flows.conftest import THIN, config_for, is_promised, promised, tree, write_pictures
from tests.flows.dataset.corpus import jpeg
from tests.flows.runs import RAY_AGENTS, SHARD, Driver, Journal, assert_nothing_half, patient_config

Building = Callable[..., tuple[Build, Version, str]]
STAGES = {"image": THIN["image"], "canny": {}}
SECONDS = 0.06  # an image, of the patient stage
FAULTS = (Fault.ERROR_500, Fault.SLOW_DOWN, Fault.RESET, Fault.LOST, Fault.CUT, Fault.SLOW)


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Callable[[S3Server | FaultProxy], str]:
    """`reach(server)`: let this process use a server or proxy, and make a bucket there; its URI."""

    def use(place: S3Server | FaultProxy) -> str:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        return f"s3://{(place.server if isinstance(place, FaultProxy) else place).new_bucket()}"

    return use


def upload(folder: Path, uri: str) -> str:
    """Put the files of a folder under a URI."""
    place = storage(uri)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            place.write(str(file.relative_to(folder)), file.read_bytes())
    return uri


def tree_of(uri: str) -> dict[str, str]:
    """What `tree` says of a folder, of a bucket."""
    place = storage(uri)
    paths = [entry.path for entry in place.list()]
    said = {path: promised(PurePath(path), place.read(path)) for path in paths if is_promised(PurePath(path))}
    return {path: hashlib.sha256(data).hexdigest() for path, data in said.items()}


def data_of(files: dict[str, str]) -> dict[str, str]:
    """Of a tree, the stage outputs and the merged shards; a version's id and manifest name the source's place."""
    return {re.sub(r"datasets/made/\w{12}/", "", p): d for p, d in files.items() if p.endswith((".tar", ".parquet"))}


def copied(uri: str, folder: Path) -> Path:
    """Everything of a bucket in a folder, when nobody writes there any more."""
    place = storage(uri)
    for entry in place.list():
        (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / entry.path).write_bytes(place.read(entry.path))
    return folder


def config(source: Path | str | dict[str, Any], out: Path | str, **values: Any) -> DatasetConfig:
    return config_for(source, out, **{"stages": STAGES, "shard_size": 4, "workers": 1, **values})


@pytest.mark.parametrize("vendor", ["moto", pytest.param("rclone", marks=pytest.mark.slow)])
def test_the_same_bytes_on_s3_as_on_a_disk(
    build: Building, reach: Callable[..., str], tmp_path: Path, vendor: str, request: pytest.FixtureRequest
) -> None:
    write_pictures(tmp_path / "in", range(10))
    build(config(tmp_path / "in", tmp_path / "out"))
    on_disk = tree(tmp_path / "out")
    uri = reach(request.getfixturevalue(f"{vendor}_server"))

    build(config(tmp_path / "in", f"{uri}/out"))
    assert tree_of(f"{uri}/out") == on_disk

    source = upload(tmp_path / "in", f"{uri}/photos of us")
    _, _, said = build(config(source, f"{uri}/all on s3"))
    assert data_of(tree_of(f"{uri}/all on s3")) == data_of(on_disk)
    assert "repeated" not in said
    assert build(config(source, f"{uri}/all on s3"))[2] == ""


def test_faults_lose_nothing_double_nothing_and_are_counted(
    build: Building, reach: Callable[..., str], tmp_path: Path, fault_proxy: FaultProxy
) -> None:
    write_pictures(tmp_path / "in", range(12))
    build(config(tmp_path / "in", tmp_path / "out"))
    uri = reach(fault_proxy)
    source = upload(tmp_path / "in", f"{uri}/in")

    with fault_proxy.dealing(seeded(0.2, seed=2, faults=FAULTS)):
        _, version, said = build(config(source, f"{uri}/out"))
    dealt, retried = fault_proxy.counts, fault_proxy.retried

    assert dealt.keys() == set(FAULTS)
    assert data_of(tree_of(f"{uri}/out")) == data_of(tree(tmp_path / "out"))
    assert version.manifest["counts"] == {
        "images": 12, "records": 12, "duplicates": 0, "quarantined": 0, "filtered": 0,
    }  # fmt: skip
    counted = re.search(r"(\d+) requests to storage failed and were repeated \((.*)\)", said)
    assert counted is not None
    assert int(counted[1]) == retried
    assert re.fullmatch(r"canny \d+, driver \d+, export \d+, image \d+", counted[2])
    out = storage(f"{uri}/out")
    assert SECRET.encode() not in said.encode() + b"".join(out.read(entry.path) for entry in out.list())


def test_the_number_of_requests_grows_with_shards_not_with_images(
    build: Building, reach: Callable[..., str], tmp_path: Path, fault_proxy: FaultProxy
) -> None:
    """Two data sets of four tars, which make four shards: 5 images in each, then 50."""
    uri = reach(fault_proxy)
    requests = []
    for images in (5, 50):
        for shard in range(4):
            numbers = range(shard * images, (shard + 1) * images)
            fields = ((f"{number:05}", {"jpg": jpeg(number), "txt": b"a picture"}) for number in numbers)
            write_shard(tmp_path / "shard.tar", fields)
            storage(f"{uri}/in-{images}").upload(f"{shard}.tar", tmp_path / "shard.tar")
        source = {"kind": "webdataset", "uri": f"{uri}/in-{images}"}
        with fault_proxy.dealing(lambda _: None):
            _, version, _ = build(config(source, f"{uri}/out-{images}", shard_size=images))
            requests.append(fault_proxy.requests)
        assert version.manifest["counts"]["records"] == 4 * images
    assert requests[0] == requests[1]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_write_the_same_bytes_from_s3_to_s3(
    build: Building, reach: Callable[..., str], tmp_path: Path, moto_server: S3Server, workers: int
) -> None:
    write_pictures(tmp_path / "in", range(22))
    build(config(tmp_path / "in", tmp_path / "out"))
    uri = reach(moto_server)
    source = upload(tmp_path / "in", f"{uri}/in")
    build(config(source, f"{uri}/out", workers=workers))
    assert data_of(tree_of(f"{uri}/out")) == data_of(tree(tmp_path / "out"))


@contextmanager
def driving(folder: Path, out: str) -> Iterator[Driver]:
    """The command line at work on the pictures of `folder`, with its output on S3; ended with the block."""
    driver = Driver(patient_config(folder, SECONDS).model_copy(update={"out": out}), folder)
    try:
        yield driver
    finally:
        driver.clear()


def undisturbed(build: Building, folder: Path) -> dict[str, str]:
    """The tree of the same build on a disk; the journal is empty."""
    build(patient_config(folder, SECONDS, "undisturbed"))
    Journal(folder / "journal").begin()
    return tree(folder / "undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize("images", [CHUNK // 2, 2 * CHUNK + 8, 2 * SHARD - 16])
def test_a_killed_driver_leaves_nothing_half_on_s3_and_its_next_run_redoes_a_chunk_a_worker(
    build: Building, reach: Callable[..., str], tmp_path: Path, moto_server: S3Server, images: int
) -> None:
    whole, journal = undisturbed(build, tmp_path), Journal(tmp_path / "journal")
    out = f"{reach(moto_server)}/out"
    with driving(tmp_path, out) as killed:
        assert killed.until(lambda: len(journal.keys) >= images), killed.end()
        killed.kill()
        assert killed.left_behind(30, but=RAY_AGENTS) == []
    assert_nothing_half(copied(out, tmp_path / "left"), whole)
    with driving(tmp_path, out) as driver:
        code, said = driver.end()
    assert code == 0, said
    assert journal.redone <= 2 * CHUNK
    assert_nothing_half(copied(out, tmp_path / "ended"), whole)
    assert tree(tmp_path / "ended") == whole


@pytest.mark.slow
def test_two_drivers_at_once_on_s3_end_with_one_right_version(
    build: Building, reach: Callable[..., str], tmp_path: Path, moto_server: S3Server
) -> None:
    whole = undisturbed(build, tmp_path)
    out = f"{reach(moto_server)}/out"
    with ExitStack() as both:
        drivers = [both.enter_context(driving(tmp_path, out)) for _ in range(2)]
        ends = [driver.end(400) for driver in drivers]
    assert [code for code, _ in ends] == [0, 0], ends
    assert len({said.splitlines()[-1] for _, said in ends}) == 1, "both name the same version"
    assert_nothing_half(copied(out, tmp_path / "ended"), whole)
    assert tree(tmp_path / "ended") == whole
