"""That a tree leads from pictures and networks back to images, configurations, weights and code."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job
from sluice.flows.operate.lineage import lineage
from sluice.flows.operate.told import NoLineage, Told
from sluice.flows.training.card import write_origin
from sluice.infra.code import code_version
from sluice.infra.local import LocalStorage
from sluice.infra.weights.models import find
from sluice.preprocess.planning.removed import bury, removed_keys
from sluice.preprocess.version.manifest import UnknownVersion, Version
from sluice.preprocess.version.withdraw import withdraw
from sluice.training.data import TrainingData
from sluice.training.recipe import Recipe
from tests.flows.command_line import Sluice
from tests.preprocess.builds import build_here, config_here, write_photos

RECIPE = Recipe(method="controlnet", control="canny", steps=4, batch=8, micro_batch=4, learning_rate=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, of which one cannot be read to its end."""
    made = tmp_path_factory.mktemp("lineage")
    write_photos(made / "photos", 4)
    (made / "photos" / "cut.png").write_bytes((made / "photos" / "p0.png").read_bytes()[:300])
    return made


@pytest.fixture(scope="module")
def version(folder: Path) -> Version:
    """A version of them."""
    return build_here(config_here(folder, max_failures=1))[1]


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    """Weights of no training."""
    (folder / "base").mkdir()
    (folder / "base" / "weights.txt").write_text("base")
    return folder / "base"


@pytest.fixture
def trained(folder: Path, version: Version, base: Path) -> Callable[..., Path]:
    """`trained("name", begin=...)`: a training's folder with a network that is a copy of `weights`."""

    def make(name: str, weights: Path = base, place: str = "", begin: str | None = None) -> Path:
        out = folder / "networks" / name
        shutil.copytree(weights, out / "model", dirs_exist_ok=True)
        (out / "model" / "own.txt").write_text(name)
        recipe = RECIPE.model_copy(update={"base": str(base), "begin": begin})
        identity = {"base weights": find(str(base)).digest, "data 0": f"small {version.id}"}
        if begin:
            identity["begin weights"] = find(begin).digest
        data = [TrainingData(place or str(folder / "out"), (), f"small {version.id}")]
        (out / "recipe.json").write_text(recipe.model_dump_json())
        (out / "checkpoints").mkdir(exist_ok=True)
        (out / "checkpoints" / "000000004.json").write_text(json.dumps({"step": 4, "sha256": "ab" * 32}))
        write_origin(out, recipe, 4, identity, data)
        write_origin(out / "model", recipe, 4, identity, data)
        return out

    return make


def key_of(photo: Path) -> str:
    return hashlib.sha256(photo.read_bytes()).hexdigest()[:16]


def lines(told: Told) -> str:
    return "\n".join(told.lines())


def test_a_version_names_source_stages_and_libraries(folder: Path, version: Version) -> None:
    data = str(folder / "out" / "datasets" / "small")
    told = lines(lineage(data))
    assert told == lines(lineage(f"{data}/{version.id}"))
    assert told.startswith(
        f"data set small, version {version.id} in {folder / 'out'}: 4 records of 5 images in 2 shards"
    )
    assert f"├ source: folder {folder / 'photos'}" in told
    for stage in version.manifest["stages"]:
        assert f"├ stage {stage['name']}, version {stage['version']}, fingerprint {stage['fingerprint']}: " in told
    assert "│ ├ cue, which has no weights" in told
    assert f"numpy {np.__version__}" in told
    assert f"sluice {code_version()}" in told


def test_a_record_names_its_image_and_what_each_stage_made_or_why_it_left_it_out(
    folder: Path, version: Version, tmp_path: Path
) -> None:
    data = f"{folder}/out/datasets/small/{version.id}"
    key = key_of(folder / "photos" / "p2.png")
    told = lines(lineage(key, data))
    assert f"├ image p2.png of folder {folder / 'photos'}, which is there, with this SHA-256" in told
    assert "├ stage depth by cue" in told
    assert "edge_density" in told
    assert lines(lineage(key[:10], data)) == told
    cut = lines(lineage(key_of(folder / "photos" / "cut.png"), data))
    assert ": left out, since " in cut
    assert "stage canny, fingerprint" in cut
    assert "not reached, or its output is gone" in cut
    moved = shutil.move(folder / "photos" / "p2.png", tmp_path)
    gone = lines(lineage(key, data))
    shutil.move(moved, folder / "photos" / "p2.png")
    assert f"of folder {folder / 'photos'}, where it cannot be read now" in gone
    assert f"the SHA-256 of what it was begins with {key}" in gone


def test_what_was_taken_down_is_said(folder: Path, version: Version, tmp_path: Path) -> None:
    shutil.copytree(folder / "out", tmp_path / "out")
    place, key = LocalStorage(tmp_path / "out"), key_of(folder / "photos" / "p2.png")
    bury(place, removed_keys([key]))
    withdraw(place, [key])
    with pytest.raises(NoLineage, match="removed this record"):
        lineage(key, f"{tmp_path}/out/datasets/small")
    told = lines(lineage(f"{tmp_path}/out/datasets/small/{version.id}"))
    assert "├ images withdrawn from it since it was made: 1" in told


def test_a_network_leads_through_what_it_began_with_to_the_data(
    folder: Path, version: Version, base: Path, trained: Callable[..., Path]
) -> None:
    first = trained("first")
    second = trained("second", begin=str(first / "model"))
    told = lines(lineage(str(second / "model")))
    assert told.startswith(f"{second / 'model'}: SHA-256 {find(str(second / 'model')).digest}")
    assert f"├ base: {base}: SHA-256 {find(str(base)).digest}" in told
    assert f"begin: {first / 'model'}: SHA-256 {find(str(first / 'model')).digest}" in told
    assert f"training noted in {first / 'model'}" in told
    assert f"code: {code_version()}" in told
    assert told.count(f"data set small, version {version.id}") == 2
    assert told.count(f"source: folder {folder / 'photos'}") == 2
    assert "recipe, 4 steps: method controlnet" in told


def test_a_checkpoint_is_told_by_its_training(trained: Callable[..., Path]) -> None:
    out = trained("kept")
    told = lines(lineage(str(out)))
    assert told == lines(lineage(str(out / "checkpoints"))) == lines(lineage(f"{out}/checkpoints/000000004.pt"))
    assert f"checkpoint after step 4, SHA-256 {'ab' * 32}" in told


def test_what_is_gone_or_another_now_is_said_with_its_digest(
    version: Version, trained: Callable[..., Path], tmp_path: Path
) -> None:
    first = trained("gone")
    digest = find(str(first / "model")).digest
    second = trained("after", place=str(tmp_path / "nowhere"), begin=str(first / "model"))
    (first / "model" / "own.txt").write_text("another")
    told = lines(lineage(str(second / "model")))
    assert f"used with SHA-256 {digest}; what is there now has {find(str(first / 'model')).digest}" in told
    assert f"data: small {version.id} in {tmp_path / 'nowhere'}, which is no longer there" in told
    shutil.rmtree(first)
    told = lines(lineage(str(second / "model")))
    assert f"{first / 'model'}: no longer here" in told
    assert f"SHA-256 {digest}" in told


@pytest.fixture
def picture(folder: Path, untrained: Path, trained: Callable[..., Path], tmp_path: Path) -> Path:
    """A composed picture: its model trained, two images asked for, a file and a field of a record."""
    edges = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "edges.png"), edges)
    record = {"record": key_of(folder / "photos" / "p1.png"), "of": "out/datasets/small", "field": "canny"}
    energies = [{"kind": "edges", "image": image, "rho": 0.01} for image in ("edges.png", record)]
    model = {"kind": "base", "model": str(trained("composing", untrained) / "model")}
    whole = {"kind": "freedom", "of": {"kind": "guided", "model": model}, "energies": energies}
    values = {"prompts": ["a red star"], "seeds": [3], "steps": 2, "batch": 1, "safety": "none", "picture": whole}
    made = compose(Job.model_validate(values), folder, tmp_path, Console(quiet=True)).made
    return tmp_path / f"{made[0]}.png"


def test_a_picture_leads_to_photographs(folder: Path, picture: Path, tmp_path: Path) -> None:
    told = lines(lineage(str(picture)))
    assert told.startswith(f"picture {picture}\n")
    assert "├ job: 'a red star', seed 3" in told
    own = folder / "networks" / "composing" / "model"
    assert f"├ {own}: SHA-256 {find(str(own)).digest}" in told
    assert "recipe, 4 steps: method controlnet" in told
    digest = hashlib.sha256((folder / "edges.png").read_bytes()).hexdigest()
    assert f"├ image: {folder / 'edges.png'}, SHA-256 {digest}" in told
    assert f"image p1.png of folder {folder / 'photos'}, which is there, with this SHA-256" in told
    assert told == lines(lineage(str(picture.with_suffix(".json"))))
    record = picture.with_suffix(".json")
    record.write_text(record.read_text().replace("a red star", "a blue star"))
    picture.unlink()
    (folder / "edges.png").unlink()
    key = key_of(folder / "photos" / "p1.png")
    field = next((folder / "out" / "stages" / "canny").rglob("*.tar")).parent
    moved = shutil.move(field, tmp_path)
    told = lines(lineage(str(picture)))
    assert ", which is no longer there (renamed, or its record was edited" in told
    assert f"image: {folder / 'edges.png'}, which is no longer there; its SHA-256 was {digest}" in told
    assert re.search(f"canny of record {key} of out/datasets/small, SHA-256 .*; it cannot be read now", told)
    shutil.move(moved, field)


def test_weights_of_the_catalogue_say_where_they_come_from() -> None:
    told = lines(lineage("tabletop/judges"))
    assert f"SHA-256 {find('tabletop/judges').digest}" in told
    assert "└ from shipped with Sluice; licence: " in told


def test_what_has_no_lineage_is_refused(folder: Path, version: Version, tmp_path: Path, sluice: Sluice) -> None:
    data = f"{folder}/out/datasets/small"
    (tmp_path / "some.png").touch()
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "notes.txt").touch()
    refused: dict[tuple[str, str | None], str] = {
        ("nothing", None): "is nothing that is there: name a picture",
        (str(tmp_path), None): "is nothing that was made by Sluice: name a picture",
        (str(tmp_path / "notes.txt"), None): "notes.txt is nothing that was made by Sluice",
        (str(tmp_path / "none.png"), None): "none.png is not there: name a picture that `sluice compose` made",
        (str(tmp_path / "some.png"), None): "some.json is not there, and only it says",
        (str(tmp_path / "other.json"), None): "is no record of `sluice compose`",
        (str(tmp_path / "checkpoints"), None): "lies in no training",
        ("0123456789abcdef", data): f"version {version.id} .* has no such record. A key is",
        ("", data): "5 records whose keys begin so",
        ("0123456789abcdef", str(folder)): "names no data set: give OUT/datasets/NAME",
    }
    for (artifact, of), words in refused.items():
        with pytest.raises(NoLineage, match=words):
            lineage(artifact, of)
    with pytest.raises(UnknownVersion):
        lineage(f"{folder}/out/datasets/none")
    said = sluice("lineage", "nothing")
    assert said.code == 2
    assert said.error.startswith("Error: nothing is nothing that is there")
    assert sluice("lineage", data).out == lines(lineage(data)) + "\n"
