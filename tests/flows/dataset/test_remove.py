"""Records taken down from the command line, and what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.flows.dataset.flow import build_dataset
from sluice.flows.training.card import write_card
from sluice.flows.training.data import open_data
from sluice.flows.training.recipes import load_recipe
from sluice.infra.errors import SluiceError
from sluice.infra.storage import storage
from sluice.preprocess.planning.build import Build, prepare
from sluice.preprocess.planning.removed import TakenDown
from sluice.preprocess.verify.absent import find_keys
from sluice.preprocess.version.manifest import read_version
from sluice.training.checkpoints import Checkpoints
from tests.faults.servers import S3Server
from tests.preprocess.builds import build_here, config_here, run_scan, write_photo
from tests.preprocess.removals import Removable, copy_of, write_removable


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Removable:
    return write_removable(tmp_path_factory.mktemp("original"))


@pytest.fixture
def made(original: Removable, tmp_path: Path) -> Removable:
    return copy_of(original, tmp_path)


def run(*words: str) -> str:
    """What a command of `sluice dataset` says. Raises what it raises."""
    result = CliRunner().invoke(app, ["dataset", *words], catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output
    return result.output


def test_alias_goes_back_to_the_version_before_a_removal(made: Removable) -> None:
    data = f"{made.place.uri}/datasets/small"
    (key,) = made.keys("p5.png")
    said = run("remove", data, "--key", key)
    version = read_version(made.place, "small")
    assert f"small {version.id}: 9 records" in said
    assert f"{', '.join(sorted([made.first.id, made.last.id]))} still hold them" in said
    assert run("alias", "small", "latest", made.last.id[:8], "--out", made.place.uri) == (
        f"small latest is now {made.last.id}: 10 records\n"
    )
    assert read_version(made.place, "small").id == made.last.id


def trained_on(folder: Path, *data: str) -> Path:
    """A network with the card that training writes."""
    identity = {f"data {number}": said for number, said in enumerate(data)}
    write_card(folder, load_recipe("micontrolnet-2"), identity, [{"step": 10, "loss": 0.5}])
    return folder


def test_a_take_down_from_end_to_end(made: Removable, tmp_path: Path) -> None:
    data, keys = f"{made.place.uri}/datasets/small", tmp_path / "keys.txt"
    keys.write_text("".join(f"{key}\n" for key in made.keys("p3.png", "p20.png")))
    run("show", "--out", made.place.uri, "--set", "name=small", "--key", made.keys("p20.png")[0])
    networks = tmp_path / "networks"
    seen = trained_on(networks / "seen" / "model", f"other {made.last.id}", f"small {made.last.id}")
    trained_on(networks / "unseen" / "model", "other 0123456789ab")
    gone = trained_on(networks / "gone" / "model", "small ffffffffffff")
    merged = trained_on(networks / "merged" / "model", "/data/export 0123456789ab")
    note = networks / "running" / "checkpoints"
    Checkpoints(storage(note), {"data 0": f"small {made.first.id}"}).write(5, {})
    (note.parent / "recipe.json").write_text('{"method": "controlnet"}')
    (note.parent / "snapshots").mkdir()

    place = ("--out", made.place.uri)
    said = run("verify", *place, "--absent", str(keys))
    assert "To mend it, remove these keys again with --withdraw" in said
    said = run("remove", data, "--keys", str(keys), "--withdraw", "--trained", str(networks))
    new = read_version(made.place, "small")
    assert f"small {new.id}: 8 records" in said
    for version in (made.first, made.last):
        assert f"small {version.id}" in next(line for line in said.split("\n") if "withdrawn from these" in line)
    assert f"deleted {made.last.prefix}/page-{keys.read_text().split()[1]}.html" in said
    told = [line for line in said.split("\n") if line.startswith(str(networks))]
    assert sorted(told) == sorted([
        f"{seen} was trained on small {made.last.id}, which held them",
        f"{gone} was trained on small ffffffffffff, a version that is gone: it may have held them",
        f"{merged} was trained on merged shards in /data/export: they may have held them",
        f"{note} was trained on small {made.first.id}, which held them",
        f"{note.parent}/snapshots was trained on small {made.first.id}, which held them",
    ])  # fmt: skip

    assert "no file holds or names any of the 2 keys" in run("verify", *place, "--absent", str(keys))
    named = (*place, "--set", "name=small")
    assert "is whole" in run("verify", *named)
    assert "withdrawn from it since it was made: 2." in run("verify", *named, "--version", made.last.id)
    less = open_data(f"{data}/{made.last.id}")
    assert sum(less.split("train", ["jpg"]).counts) + sum(less.split("validation", ["jpg"]).counts) == 8
    again = run("remove", data, "--keys", str(keys), "--withdraw", "--trained", str(networks))
    assert sorted(told) == sorted(line for line in again.split("\n") if line.startswith(str(networks)))
    assert read_version(made.place, "small").id == new.id
    assert "still hold" not in run("remove", data, "--keys", str(keys))


def test_networks_of_every_data_set_that_had_them_are_listed(made: Removable, tmp_path: Path) -> None:
    """Another one of the same source, and one that never had them."""
    other = build_here(made.config.model_copy(update={"name": "other", "shard_size": 3}))[1]
    write_photo(tmp_path / "away", "p90", 90)
    apart = build_here(config_here(tmp_path, name="apart", source={"kind": "folder", "uri": str(tmp_path / "away")}))[1]
    networks = tmp_path / "networks"
    seen = trained_on(networks / "seen" / "model", f"other {other.id}", f"apart {apart.id}")
    gone = trained_on(networks / "gone" / "model", "other ffffffffffff", "apart ffffffffffff")
    (key,) = made.keys("p5.png")
    asked = ("remove", f"{made.place.uri}/datasets/small", "--key", key, "--trained", str(networks))
    for words in ((), ("--withdraw",), ("--withdraw",)):
        said = run(*asked, *words)
        assert sorted(line for line in said.split("\n") if line.startswith(str(networks))) == [
            f"{gone} was trained on other ffffffffffff, a version that is gone: it may have held them",
            f"{seen} was trained on other {other.id}, which held them",
        ]


def test_where_no_network_was_trained_on_them_this_is_said(made: Removable, tmp_path: Path) -> None:
    trained_on(tmp_path / "networks" / "apart" / "model", "apart ffffffffffff")
    (key,) = made.keys("p5.png")
    asked = (f"{made.place.uri}/datasets/small", "--key", key, "--trained", str(tmp_path / "networks"))
    assert f"No network in {tmp_path}/networks was trained on what held these" in run("remove", *asked)


def test_a_take_down_on_s3(
    made: Removable, tmp_path: Path, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    out = storage(f"s3://{moto_server.new_bucket()}/sets")
    for entry in made.place.list():
        out.write(entry.path, made.place.read(entry.path))
    keys = tmp_path / "keys.txt"
    keys.write_text("\n".join(made.keys("p3.png", "p20.png")))
    run("remove", "small", "--keys", str(keys), "--withdraw", "--out", out.uri)
    run("remove", f"{made.place.uri}/datasets/small", "--keys", str(keys), "--withdraw")
    there = {entry.path: out.read(entry.path) for entry in out.list()}
    assert there == {entry.path: made.place.read(entry.path) for entry in made.place.list()}
    assert "no file holds" in run("verify", "--out", out.uri, "--absent", str(keys))
    run("alias", f"{out.uri}/datasets/small", "latest", made.first.id)
    assert read_version(out, "small").id == made.first.id


@pytest.mark.parametrize("withdrawn", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_build_of_what_is_taken_down_meanwhile_makes_no_version(made: Removable, withdrawn: bool) -> None:
    (key,), data = made.keys("p5.png"), f"{made.place.uri}/datasets/small"

    def planned(**changes: Any) -> Build:
        return prepare(made.config.model_copy(update=changes), run_scan)

    def refused(beside: Build, why: str = "'small' were removed while this build ran.*--withdraw` again") -> None:
        with pytest.raises(TakenDown, match=why):
            build_dataset(beside, Console(quiet=True))

    stored = planned(stages={"image": {"size": 32, "min_side": 0}})
    by_columns, in_memory = planned(shard_size=5), planned(near_duplicates=1)
    run("remove", data, "--key", key, *["--withdraw"] * withdrawn)
    now = read_version(made.place, "small").id
    refused(stored)
    refused(by_columns, "withdrawn while this build was planned; nothing ran" if withdrawn else "--withdraw` again")
    for _ in range(2):  # once with nothing left to run
        refused(in_memory)
    assert read_version(made.place, "small").id == now
    if withdrawn:
        assert list(find_keys(made.place, [key])), "the build wrote it again"
        run("remove", data, "--key", key, "--withdraw")
        assert not list(find_keys(made.place, [key]))
    again = build_dataset(planned(shard_size=5), Console(quiet=True))
    assert again.manifest["counts"]["images"] == made.last.manifest["counts"]["images"] - 1


@pytest.mark.parametrize(
    ("keys", "words", "what"),
    [
        ("0123456789abcdef\n", [], "never had 1 of these 1 keys: 0123456789abcdef. Nothing was done"),
        ("\n\n", [], "holds no keys; they go there one a line"),
        ("p5.png\n", [], "'p5.png' is no key; a key is 16 hex digits"),
        (None, [], "is no file of keys"),
        ("0123456789abcdef", ["--out", "nowhere"], "has no data set 'small'; there are: none"),
        ("0123456789abcdef", ["--trained", "nowhere"], "--trained nowhere: there is no such folder"),
    ],
)
def test_bad_input_is_said_before_anything_is_done(
    made: Removable, tmp_path: Path, keys: str | None, words: list[str], what: str
) -> None:
    file = tmp_path / "keys.txt"
    if keys is not None:
        file.write_text(keys)
    before = sorted(made.place.root.rglob("*"))
    with pytest.raises(SluiceError, match=what):
        run("remove", "small", "--keys", str(file), "--out", made.place.uri, *words)
    assert sorted(made.place.root.rglob("*")) == before


def test_what_is_not_there_is_named_with_what_is(made: Removable) -> None:
    data = f"{made.place.uri}/datasets/small"
    with pytest.raises(SluiceError, match=r"has no data set 'large'; there are: small"):
        run("remove", "large", "--key", *made.keys("p5.png"), "--out", made.place.uri)
    with pytest.raises(SluiceError, match=rf"no version or alias 'old'; its versions: .*{made.last.id}.*: latest"):
        run("alias", data, "latest", "old")
    (made.place.root / made.last.prefix / "manifest.json").unlink()
    with pytest.raises(SluiceError, match=f"no version '{made.last.id}'; there are: {made.first.id}"):
        run("remove", data, "--key", *made.keys("p5.png"))
