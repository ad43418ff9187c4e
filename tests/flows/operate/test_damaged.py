"""What is damaged of what operating commands read: it is named, hides nothing else, and nothing is deleted by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.flows.operate.lineage import lineage
from sluice.flows.operate.status import status
from sluice.flows.operate.told import NoLineage, Told
from sluice.flows.operate.trainings import NoTraining
from sluice.infra.local import LocalStorage
from sluice.preprocess.version.manifest import Version
from tests.flows.command_line import Sluice
from tests.preprocess.builds import build_here, config_here, write_photos

JOB: dict[str, Any] = {"prompts": ["a star"], "seeds": [1], "size": 64, "picture": {"kind": "ddim"}}
RECORD: dict[str, Any] = {"job": JOB, "made_of": {"tabletop": "ab"}, "sluice": "0.1.0", "folder": "/"}


def test_a_data_set_or_a_training_that_is_damaged_hides_no_other(
    tmp_path: Path, training: Path, sluice: Sluice
) -> None:
    write_photos(tmp_path / "photos", 4)
    _, whole = build_here(config_here(tmp_path))
    _, broken = build_here(config_here(tmp_path, name="broken"))
    (tmp_path / "out" / "datasets" / "broken" / "aliases" / "latest.json").write_text("{")
    other = training.parent / "other"
    other.mkdir()
    (other / "recipe.json").write_text("")
    told = sluice("status", tmp_path / "out", "--trained", training.parent)
    assert (told.code, whole.id in told.out, broken.id in told.out) == (1, True, False)
    assert "data set broken: " in told.out
    assert "latest.json is damaged" in told.out
    assert "`sluice dataset alias` writes it anew" in told.out
    assert f"training {training}: controlnet canny, stopped" in told.out
    assert f"training {other}: {other}/recipe.json is damaged" in told.out


def test_what_is_json_and_no_mapping_is_named(tmp_path: Path, training: Path, sluice: Sluice) -> None:
    write_photos(tmp_path / "photos", 4)
    _, version = build_here(config_here(tmp_path))
    manifest, recipe = tmp_path / "out" / version.prefix / "manifest.json", training / "recipe.json"
    for file in (manifest, recipe):
        file.write_text("[]")
    asked: dict[str, list[tuple[int, list[Any]]]] = {
        str(manifest): [
            (1, ["status", tmp_path / "out"]),
            (1, ["gc", tmp_path / "out"]),
            (1, ["lineage", manifest.parent]),
        ],
        str(recipe): [
            (1, ["status", "--trained", training]),
            (2, ["gc", "--trained", training]),
            (2, ["lineage", training]),
        ],
    }
    for file, commands in asked.items():
        for code, words in commands:
            said = sluice(*words)
            assert (said.code, f"{file} is damaged (should be an object)" in said.out + said.error) == (code, True), (
                said
            )


@pytest.mark.parametrize(
    ("file", "wrong", "said"),
    [
        ("recipe.json", {"method": [1]}, "method: should be a valid string"),
        ("recipe.json", {"control": [1]}, "control: should be a valid string"),
        ("recipe.json", {"batch": 0}, "batch: should be greater than or equal to 1"),
        ("training.json", {"recipe": [1]}, "recipe: should be an object"),
        ("training.json", {"steps": [1]}, "steps: should be a valid integer"),
        ("training.json", {"identity": None}, "identity: should be an object"),
        ("training.json", {"data": [1]}, "data.0: should be an object"),
        ("training.json", {"folder": None}, "folder: should be a valid string"),
        ("checkpoints/000000030.json", {"training": [1]}, "training: should be an object"),
    ],
)
def test_a_wrong_value_of_a_training_is_named(training: Path, file: str, wrong: dict[str, Any], said: str) -> None:
    there = training / file
    there.write_text(json.dumps({**(json.loads(there.read_text()) if there.exists() else {}), **wrong}))
    with pytest.raises(NoTraining, match=f"{there.name} is damaged .{said}"):
        lineage(str(training))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"job": [1]}, "job: should be an object"),
        ({"job": {**JOB, "prompts": None}}, "job.prompts: should be a valid array"),
        ({"job": {**JOB, "seeds": []}}, "job.seeds: List should have at least 1 item"),
        ({"job": {**JOB, "picture": "ddim"}}, "job.picture: should be an object"),
        ({"made_of": {"tabletop": 5}}, "made_of.tabletop: should be a valid string"),
        ({"folder": None}, "folder: should be a valid string"),
    ],
)
def test_a_wrong_value_of_a_pictures_record_is_named(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "a.json").write_text(json.dumps({**RECORD, **wrong}))
    with pytest.raises(NoLineage, match=f"a.json is no record of `sluice compose`, or is damaged .{said}"):
        lineage(str(tmp_path / "a.png"))


@pytest.mark.parametrize("text", ['{"version": null}', '{"version": 5}', '{"version": "ffffffffffff"}'])
def test_where_an_alias_means_no_version_nothing_is_deleted(
    two: tuple[Path, Version, Version], text: str, sluice: Sluice
) -> None:
    folder, first, second = two
    aliases = folder / "out" / "datasets" / "small" / "aliases"
    (aliases / "stable.json").write_text(text)
    before = sorted(folder.rglob("*"))
    said = sluice("gc", folder / "out", "--keep", "1", "--delete")
    assert (said.code, "stable" in said.error, "`sluice dataset alias" in said.error) == (1, True, True), said
    assert sluice("status", folder / "out").code == 1
    assert sorted(folder.rglob("*")) == before
    assert sluice("dataset", "alias", folder / "out" / "datasets" / "small", "stable", first.id).code == 0
    assert sluice("gc", folder / "out", "--keep", "1", "--delete").code == 0
    (data,) = status(LocalStorage(folder / "out"), (), ()).data_sets
    assert [(own.id, own.aliases) for own in data.versions] == [(first.id, ["stable"]), (second.id, ["latest"])]


@pytest.mark.parametrize("wrong", [{"bytes": 1}, {"stages": []}, {"format": 9}])
def test_a_manifest_that_its_id_is_not_the_digest_of_lets_nothing_be_deleted(
    two: tuple[Path, Version, Version], wrong: dict[str, Any], sluice: Sluice
) -> None:
    folder, _, second = two
    manifest = folder / "out" / second.prefix / "manifest.json"
    manifest.write_text(json.dumps({**second.manifest, **wrong}))
    before = sorted(folder.rglob("*"))
    for code, words in ((1, ["gc", folder / "out", "--keep", "1", "--delete"]), (1, ["status", folder / "out"])):
        said = sluice(*words)
        assert (said.code, f"{manifest} was edited or is damaged" in said.out + said.error) == (code, True), said
    assert sorted(folder.rglob("*")) == before


def test_a_note_of_wrong_values_is_none(two: tuple[Path, Version, Version]) -> None:
    folder, *_ = two
    notes = folder / "out" / "datasets" / "small" / "run"
    notes.mkdir(exist_ok=True)
    (notes / "command.json").write_text(json.dumps({"command": "x", "folder": [1]}))
    (notes / "ended.json").write_text(json.dumps({"how": "failed\x1b[31m", "why": "x"}))
    (data,) = status(LocalStorage(folder / "out"), (), ()).data_sets
    assert (data.ended, data.commands) == (None, [])


def test_of_a_version_without_a_manifest_merged_shards_alone_are_counted(tmp_path: Path, sluice: Sluice) -> None:
    write_photos(tmp_path / "photos", 8)
    build_here(config_here(tmp_path))
    _, second = build_here(config_here(tmp_path, shard_size=2))
    (tmp_path / "out" / second.prefix / "manifest.json").unlink()
    (tmp_path / "out" / "datasets" / "small" / "aliases" / "latest.json").unlink()
    (data,) = status(LocalStorage(tmp_path / "out"), (), ()).data_sets
    assert [version.shards for version in data.merging] == [4]
    assert "  a build or removal seems to run: its newest file is" in sluice("status", tmp_path / "out").out


def test_names_of_others_feign_no_lines() -> None:
    assert list(Told("uri clear\x1b[2J", [Told("a\nb\u202e")]).lines()) == ["uri clear\\x1b[2J", "└ a\\nb\\u202e"]
