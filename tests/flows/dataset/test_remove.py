"""Records taken down from the command line, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.infra.errors import SluiceError
from sluice.preprocess.version.manifest import read_version
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


@pytest.mark.parametrize(
    ("keys", "words", "what"),
    [
        ("0123456789abcdef\n", [], "never had 1 of these 1 keys: 0123456789abcdef. Nothing was done"),
        ("\n\n", [], "no keys are given"),
        ("p5.png\n", [], "'p5.png' is no key; a key is 16 hex digits"),
        (None, [], "is no file of keys"),
        ("0123456789abcdef", ["--out", "nowhere"], "has no data set 'small'; there are: none"),
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
        run("remove", "small", "--keys", str(file), *(words or ["--out", made.place.uri]))
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
