"""The policies for S3 before moto's IAM: all that a storage does needs each of their actions, and no other."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from sluice.infra.s3 import bucket as s3_module
from sluice.infra.s3.bucket import S3Storage
from sluice.infra.s3.faults import Retry
from sluice.infra.storage import PermissionDenied
from sluice.infra.weights.origins import NotThere, bring
from sluice.preprocess.sources import Raw, SourceConfig
from sluice.preprocess.sources.folder import Folder
from tests.faults import servers
from tests.faults.proxy import Fault, FaultProxy, Request, scripted
from tests.faults.servers import S3Server
from tests.infra.conftest import MakeS3
from tests.infra.s3.gate import ALL, BUCKET, SOURCE, Gate, Policy, actions


def without(action: str, policy: Policy) -> Policy:
    """The policy without one of its actions."""
    kept = [{**s, "Action": [a for a in actions({"Statement": [s]}) if a != action]} for s in policy["Statement"]]
    return {**policy, "Statement": [statement for statement in kept if statement["Action"]]}


def as_moto_reads_it(policy: Policy) -> Policy:
    """moto tells S3's conditions nothing of the request, and takes the bucket for what DeleteObjects is about."""
    read = copy.deepcopy(policy)
    for statement in read["Statement"]:
        statement.pop("Condition", None)
        if "s3:DeleteObject" in statement["Action"]:
            statement["Resource"] = [statement["Resource"], f"arn:aws:s3:::{BUCKET}"]
    return read


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with servers.moto() as server:
        yield server


@pytest.fixture(scope="module")
def asking(server: S3Server) -> Gate:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return Gate(server)


@pytest.fixture
def gate(asking: Gate, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """With nothing in the bucket, for this process as the user `sluice`."""
    own = {"AWS_ACCESS_KEY_ID": asking.own[0], "AWS_SECRET_ACCESS_KEY": asking.own[1]}
    for name, value in (server.environment | own).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_module, "MULTIPART_ABOVE", 1000)
    asking.clear()
    return asking


@pytest.fixture
def big(tmp_path: Path) -> Path:
    (tmp_path / "big").write_bytes(bytes(2000))
    return tmp_path / "big"


def everything(gate: Gate, s3: S3Storage, big: Path) -> None:
    """All methods of a storage, with an unfinished upload to sweep."""
    gate.root.create_multipart_upload(Bucket=BUCKET, Key=f"{s3.prefix}/left")
    assert s3.head("none") is None
    s3.write("a", b"0123")
    s3.upload("folder/big", big)
    assert (s3.read("a"), s3.read_range("a", 1, 2)) == (b"0123", b"12")
    assert s3.open("folder/big").read() == bytes(2000)
    assert ([e.path for e in s3.list()], [*s3.folders()]) == (["a", "folder/big"], ["folder"])
    assert s3.sweep(older_than_s=0) == 1
    s3.delete(["a", "folder/big"])


@pytest.mark.parametrize("policy", [ALL, SOURCE], ids=["all", "source"])
def test_iam_reads_it(gate: Gate, policy: Policy) -> None:
    gate.allow(policy)
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        gate.allow({**policy, "Statement": [{**policy["Statement"][0], "Actions": []}]})


def test_all_that_a_storage_does_is_allowed(gate: Gate, big: Path) -> None:
    gate.allow(as_moto_reads_it(ALL))
    everything(gate, S3Storage(BUCKET, "sluice"), big)
    assert gate.files() == {}


@pytest.mark.parametrize("action", actions(ALL))
def test_each_action_is_needed(gate: Gate, big: Path, action: str) -> None:
    gate.allow(as_moto_reads_it(without(action, ALL)))
    with pytest.raises(PermissionDenied, match=rf"refuses it .*owner for {action}\b.*; infra/aws/s3-policy.json has"):
        everything(gate, S3Storage(BUCKET, "sluice"), big)


REFUSED: list[tuple[str, Callable[[S3Storage, Path], object], str]] = [
    ("s3:PutObject", lambda s3, _: s3.write("old", b"new"), "write s3://team/sluice/old"),
    ("s3:PutObject", lambda s3, big: s3.upload("old", big), "write s3://team/sluice/old"),
    ("s3:GetObject", lambda s3, _: s3.read("old"), "read s3://team/sluice/old"),
    ("s3:GetObject", lambda s3, _: s3.head("old"), "examine s3://team/sluice/old"),
    ("s3:DeleteObject", lambda s3, _: s3.delete(["old"]), "delete s3://team/sluice/old"),
    ("s3:ListBucket", lambda s3, _: [*s3.list()], "list s3://team/sluice"),
    ("s3:ListBucket", lambda s3, _: s3.head("none"), "list s3://team/sluice/none"),
    ("s3:ListBucketMultipartUploads", lambda s3, _: s3.sweep(0), "list s3://team/sluice"),
    ("s3:AbortMultipartUpload", lambda s3, _: s3.sweep(0), "clean up s3://team/sluice"),
]


@pytest.mark.parametrize(("action", "act", "said"), REFUSED)
def test_who_lacks_one_is_told_which_and_nothing_is_half_done(
    gate: Gate, big: Path, action: str, act: Callable[[S3Storage, Path], object], said: str
) -> None:
    gate.root.put_object(Bucket=BUCKET, Key="sluice/old", Body=b"old")
    gate.root.create_multipart_upload(Bucket=BUCKET, Key="sluice/left")
    gate.allow(as_moto_reads_it(without(action, ALL)))
    s3 = S3Storage(BUCKET, "sluice")
    with pytest.raises(PermissionDenied, match=rf"Could not {said}.*{action}\b"):
        act(s3, big)
    assert s3.retries == 0
    assert gate.files() == {"sluice/old": b"old"}


def test_what_was_written_and_may_not_be_looked_at_is_there_whole_and_not_believed(gate: Gate, big: Path) -> None:
    gate.allow(as_moto_reads_it(without("s3:GetObject", ALL)))
    for write in (lambda s3: s3.write("new", bytes(2000)), lambda s3: s3.upload("new", big)):
        with pytest.raises(PermissionDenied, match="Could not verify s3://team/sluice/new"):
            write(S3Storage(BUCKET, "sluice"))
        assert gate.files() == {"sluice/new": bytes(2000)}


def test_an_upload_that_may_not_be_taken_back_fails_by_its_own_fault(
    gate: Gate, server: S3Server, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.allow(as_moto_reads_it(without("s3:AbortMultipartUpload", ALL)))
    proxy = FaultProxy(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    with proxy.dealing(scripted(Fault.ERROR_500, target="partNumber")), pytest.raises(OSError, match="InternalError"):
        S3Storage(BUCKET, "sluice", Retry(attempts=1)).upload("new", big)
    proxy.close()
    assert gate.files() == {}


@pytest.mark.parametrize("path", ["other/a", "sluicey/a"])
def test_beyond_the_prefix_nothing_is_read_or_written(gate: Gate, path: str) -> None:
    gate.root.put_object(Bucket=BUCKET, Key=path, Body=b"old")
    gate.allow(as_moto_reads_it(ALL))
    s3 = S3Storage(BUCKET)
    for act in (lambda: s3.read(path), lambda: s3.write(path, b"new")):
        with pytest.raises(PermissionDenied):
            act()
    assert gate.files() == {path: b"old"}


def test_a_source_is_read_and_never_written(gate: Gate) -> None:
    gate.root.put_object(Bucket=BUCKET, Key="pictures/a.jpg", Body=b"a picture")
    gate.allow(as_moto_reads_it(SOURCE))
    source = Folder(SourceConfig(uri=f"s3://{BUCKET}/pictures"))
    found: list[Raw] = [*source.scan([*source.items()])]
    assert [raw.fields["raw"] for raw in found] == [b"a picture"]
    s3 = S3Storage(BUCKET, "pictures")
    for act in (partial(s3.write, "a.jpg", b"another"), partial(s3.delete, ["a.jpg"])):
        with pytest.raises(PermissionDenied):
            act()
    assert gate.files() == {"pictures/a.jpg": b"a picture"}


def test_every_listing_is_of_what_the_condition_allows(make_s3: MakeS3, fault_proxy: FaultProxy) -> None:
    make_s3(fault_proxy)
    s3, targets = S3Storage(fault_proxy.server.new_bucket(), "sluice"), []

    def noted(request: Request) -> None:
        targets.append(request.target)

    with fault_proxy.dealing(noted):
        s3.head("none")
        s3.write("a/b", b"x")
        for _ in (*s3.list(), *s3.list("a"), *s3.folders(), *s3.folders("a")):
            pass
    asked = [parse_qs(urlsplit(target).query) for target in targets]
    prefixes = [query.get("prefix", [""])[0] for query in asked if "list-type" in query]
    (condition,) = [s["Condition"]["StringLike"]["s3:prefix"] for s in ALL["Statement"] if "Condition" in s]
    assert len(prefixes) == 5
    assert [prefix for prefix in prefixes if not fnmatch.fnmatchcase(prefix, condition)] == []


@pytest.mark.parametrize("named", ["sluice", "sluice/net.onnx"])
def test_weights_are_found_by_who_sees_nothing_above_them(gate: Gate, tmp_path: Path, named: str) -> None:
    gate.root.put_object(Bucket=BUCKET, Key="sluice/net.onnx", Body=b"weights")
    gate.allow(as_moto_reads_it(ALL))
    found = bring(f"s3://{BUCKET}/{named}", None, None, tmp_path, None)
    assert (found if found.is_file() else found / "net.onnx").read_bytes() == b"weights"


def test_who_may_not_see_weights_is_told_so(gate: Gate, tmp_path: Path) -> None:
    gate.allow(as_moto_reads_it(without("s3:ListBucket", ALL)))
    with pytest.raises(NotThere, match=r"`s3://team/sluice/none` holds no files .Could not list s3://team/sluice/none"):
        bring(f"s3://{BUCKET}/sluice/none", None, None, tmp_path, None)
