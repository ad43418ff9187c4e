"""Clusters by name, and how a token is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice.flows.submit.clusters import Cluster, find_cluster
from sluice.infra.settings import ConfigError

HERE = "http://127.0.0.1:8265"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of one's own."""
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("SLUICE_CLUSTERS", str(file))
    return file


def token(folder: Path, mode: int, text: str = "a secret\n") -> Cluster:
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return Cluster(address=HERE, token=str(file))


def test_the_ready_clusters_are_reached_through_this_machine_and_none_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SLUICE_CLUSTERS", raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    addresses = [find_cluster(name).address for name in ("laptop", "a800", "v100")]
    assert addresses == [HERE, "http://127.0.0.1:8266", "http://127.0.0.1:8267"]


def test_a_list_of_ones_own_goes_over_the_ready_one(own: Path) -> None:
    own.write_text("team: {address: https://ray.team}\na800: {address: https://a800.team, shared: [/mnt]}")
    assert find_cluster("team").address == "https://ray.team"
    assert find_cluster("a800").shared == ("/mnt",)
    assert find_cluster("laptop").address == HERE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team: {adress: https://ray.team}", r"clusters.yaml: team: there is no 'adress'; did you mean 'address'\?"),
        ("team: {address: ray.team}", r"team: .*address must be such as http://127.0.0.1:8265; it is 'ray.team'"),
        ("team: {address: 'https://me:s3cret@ray.team'}", r"team: address has a login in it, [^@]*$"),
        ("team: {address: 'me:s3cret@ray.team:8265'}", r"team: address has a login in it, [^@]*$"),
        ("team: {address: 'http://10.0.0.1:8265'}", r"team: .*would carry the token in the clear: bring the port"),
        ("tame: {address: https://ray.team}", r"clusters.yaml has no such cluster; did you mean 'tame'\?"),
        ("[team]", r"clusters.yaml must hold a mapping such as `a800:`"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(own: Path, text: str, said: str) -> None:
    own.write_text(text)
    with pytest.raises(ConfigError, match=said):
        find_cluster("team")


def test_a_list_that_is_named_must_be_there(own: Path) -> None:
    with pytest.raises(ConfigError, match=f"there is no configuration file {own}"):
        find_cluster("laptop")


def test_a_token_is_read_from_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    assert token(tmp_path, 0o600).headers() == {"Authorization": "Bearer a secret"}
    assert Cluster(address=HERE, token=None).headers() == {"Authorization": ""}
    with pytest.raises(ConfigError, match=r"token, can be read by others of this machine: chmod 600 .*token"):
        token(tmp_path, 0o640).headers()
    with pytest.raises(ConfigError, match="token, is empty"):
        token(tmp_path, 0o600, "\n").headers()
    with pytest.raises(
        ConfigError, match=r"gone, the cluster's token, could not be read \(No such file or directory\)"
    ):
        Cluster(address=HERE, token=str(tmp_path / "gone")).headers()


@pytest.mark.parametrize(
    ("place", "seen"),
    [
        ("s3://team/data", True),
        ("/weights/runs/one", True),
        ("/weights", True),
        ("/weights2/runs", False),
        ("/weights/../home", False),
        ("weights/runs", False),
        ("out", False),
    ],
)
def test_a_cluster_sees_what_is_shared_and_what_has_a_uri(place: str, seen: bool) -> None:
    assert Cluster(address=HERE, shared=("/weights",)).sees(place) == seen


def test_no_token_is_part_of_what_a_cluster_says_of_itself(tmp_path: Path) -> None:
    assert "a secret" not in repr(token(tmp_path, 0o600))


def test_an_address_is_checked_when_it_is_made() -> None:
    for address in ("http://localhost:8265", "http://[::1]:8265", "https://ray.team"):
        assert Cluster(address=address).address == address
    with pytest.raises(ValidationError, match="in the clear"):
        Cluster(address="http://localhost.team:8265")
