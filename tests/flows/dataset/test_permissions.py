"""A bucket whose owner forgot one permission: it is named, nothing is half-done, and with it the build goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.flows.operate.gc import GarbageCollection
from sluice.flows.operate.keeping import Wish
from sluice.infra.errors import SluiceError
from sluice.infra.storage import PermissionDenied, storage
from tests.faults.proxy import Fault, FaultProxy, Plan, Request
from tests.flows.conftest import config_for, tree, write_pictures
from tests.flows.dataset.test_s3 import STAGES, Building, copied, reach, tree_of, upload
from tests.flows.runs import assert_nothing_half

__all__ = ["reach"]

REQUESTS = {
    "s3:ListBucket": r"GET /[^/]+\?.*list-type=2",
    "s3:GetObject": r"(GET|HEAD) /[^/]+/[^?]+$",
    "s3:PutObject": r"PUT /[^/]+/[^?]+",
    "s3:DeleteObject": r"POST /[^/]+\?delete",
}


def denying(permission: str, under: str = "") -> Plan:
    """403 for the requests that need a permission, of targets that hold this text."""

    def plan(request: Request) -> Fault | None:
        needs = re.match(REQUESTS[permission], f"{request.method} {request.target}")
        return Fault.DENIED if needs and under in request.target else None

    return plan


@pytest.fixture(scope="module")
def on_disk(build: Building, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source in `in`, and the build of it in `out`, of which one stage keeps chunks that it deletes."""
    folder = tmp_path_factory.mktemp("on_disk")
    write_pictures(folder / "in", range(6))
    build(config_for(folder / "in", folder / "out", **VALUES))
    return folder


VALUES = {"stages": {**STAGES, "patient": {}}, "shard_size": 4, "workers": 1}


OF_THE_OUTPUT = [
    ("s3:ListBucket", ""),
    ("s3:PutObject", "/index/"),
    ("s3:GetObject", "/out/stages/"),
    ("s3:PutObject", "/out/stages/"),
    ("s3:DeleteObject", ""),
    ("s3:PutObject", "/out/datasets/made/"),
]


def test_without_one_of_the_output_nothing_is_half_done(
    build: Building, reach: Callable[..., str], fault_proxy: FaultProxy, on_disk: Path, tmp_path: Path
) -> None:
    """One after the other on the same output, and at last all are there."""
    out, whole = f"{reach(fault_proxy)}/out", tree(on_disk / "out")
    config = config_for(on_disk / "in", out, **VALUES)
    for number, (permission, under) in enumerate(OF_THE_OUTPUT):
        with (
            fault_proxy.dealing(denying(permission, under)),
            pytest.raises(SluiceError, match=rf"Could not \w+ {out}.*ask the bucket's owner for {permission}\b"),
        ):
            build(config)
        assert_nothing_half(copied(out, tmp_path / f"{number}"), whole)
    build(config)
    assert tree_of(out) == whole


def test_without_one_of_the_source_nothing_is_half_done(
    build: Building, reach: Callable[..., str], fault_proxy: FaultProxy, on_disk: Path, tmp_path: Path
) -> None:
    source = upload(on_disk / "in", reach(fault_proxy))
    config = config_for(source, tmp_path / "out", **VALUES)
    for permission in ("s3:ListBucket", "s3:GetObject"):
        with (
            fault_proxy.dealing(denying(permission)),
            pytest.raises(SluiceError, match=rf"Could not \w+ {source}/.*ask the bucket's owner for {permission}\b"),
        ):
            build(config)
    _, version, _ = build(config)
    assert version.manifest["counts"]["records"] == 6


def test_what_may_not_delete_everything_deletes_nothing(
    reach: Callable[..., str], fault_proxy: FaultProxy, on_disk: Path
) -> None:
    out = upload(on_disk / "out", reach(fault_proxy))
    before = [entry.path for entry in storage(out).list()]
    collect = GarbageCollection(Wish(newest=1), grace=0, delete=True)
    with fault_proxy.dealing(denying("s3:DeleteObject")), pytest.raises(PermissionDenied, match="s3:DeleteObject"):
        list(collect(storage(out), []))
    left = [path for path in (entry.path for entry in storage(out).list()) if not path.startswith("gc-")]
    assert left == before
