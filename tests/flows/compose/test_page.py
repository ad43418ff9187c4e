"""The page of a run: what it shows, that watching changes no bit, and how it looks in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from rich.console import Console

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.page.inputs import input_blocks, inputs_of, silent_area
from sluice.flows.compose.page.left_out import left_out_blocks
from sluice.flows.compose.page.made import Found
from sluice.flows.compose.page.page import SHOWN, page_of, write_page
from sluice.flows.compose.page.process import blocks_of
from sluice.flows.compose.page.results import result_blocks, variants_of
from sluice.flows.compose.page.words import tree_of
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.run.tables import Row
from sluice.flows.compose.run.watched import FOLDER, evenly
from sluice.flows.compose.tree.job import Job
from sluice.inference.watching import Watch
from sluice.infra.local import LocalStorage
from sluice.infra.page.blocks import Flip, Strip, Table
from sluice.infra.page.charts import Charts, HeatMap, Lines
from sluice.infra.page.render import render
from sluice.preprocess.record import Array, encode_png
from sluice.training.networks.local_fuser import LocalFuser
from tests.browser import CONTRAST, LEGIBLE, SIZES, Browser, browser

QUIET = Console(quiet=True)
EVIL = "<script>document.title = 'owned'</script> & a star"


@pytest.fixture(scope="module")
def job(untrained: Path, given: Path) -> dict[str, Any]:
    """Two controls, one of which is silent in the right half, and two energies."""
    cv2.imwrite(str(given / "left.png"), np.repeat([[255] * 32 + [0] * 32], 64, axis=0).astype(np.uint8))
    network, over = str(given / "network"), {"kind": "base", "model": str(untrained)}
    controls = [{"network": network, "image": "0.png"}, {"network": network, "image": "1.png", "speaks": "left.png"}]
    model = {"kind": "minimal_impact", "over": over, "controls": controls}
    red = {"kind": "colour", "region": "left.png", "colour": [255, 0, 0], "rho": 0.1}
    energies = [red, {"kind": "edges", "image": "2.png", "rho": 0.1}]
    picture = {"kind": "freedom", "energies": energies, "of": {"kind": "guided", "model": model}}
    return {"prompts": [EVIL], "seeds": [0, 1], "steps": 2, "batch": 2, "picture": picture}


@pytest.fixture(scope="module")
def out(job: dict[str, Any], given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its page."""
    place = tmp_path_factory.mktemp("out")
    compose(Job.model_validate(job), given, place, QUIET, page=True)
    return place


def found(job: dict[str, Any], pixels: Array | None = None, **noted: Any) -> Found:
    """A picture of a job of one prompt and seed."""
    plain = Job.model_validate(job).model_dump(mode="json")
    asked = Asked(plain["prompts"][0], plain["seeds"][0], {"job": plain, "folder": "here", "sluice": "0"})
    shown = np.zeros((8, 8, 3), np.uint8) if pixels is None else pixels
    return Found(asked, {**asked.record, **noted}, None if "reason" in noted else shown)


def with_strength(job: dict[str, Any], strength: float, **more: Any) -> dict[str, Any]:
    own = json.loads(json.dumps({**job, "prompts": ["a star"], "seeds": [0], **more}))
    own["picture"]["of"]["model"]["controls"][1]["strength"] = strength
    return own  # type: ignore[no-any-return]


def test_watching_changes_no_bit(job: dict[str, Any], out: Path, given: Path, tmp_path: Path) -> None:
    made = compose(Job.model_validate(job), given, tmp_path, QUIET).made
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{end}" for name in made for end in ("json", "png")}
    for path in tmp_path.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_what_was_noted_is_of_every_step_and_layer(job: dict[str, Any], out: Path) -> None:
    notes = [json.loads(path.read_text()) for path in (out / FOLDER).iterdir()]
    assert len(notes) == len(job["seeds"])
    for own in notes:
        assert [len(strip["figures"]) for strip in own["foreseen"]] == [job["steps"]]
        told = {(series["what"], series["of"]): series["values"] for series in own["numbers"]}
        names = {("energy", "1. colour"), ("energy", "2. edges"), ("guidance", ""), ("gain", "all controls")}
        names |= {("share", of) for of in ("all controls", "1. network", "2. network")}
        names.add(("cosine", "1. colour, 2. edges"))
        assert told.keys() == names | {("weight", "1. network"), ("weight", "2. network")}
        assert len({len(layers) for (what, _), values in told.items() if what == "share" for layers in values}) == 1
        gains, shares = (np.array(told[what, "all controls"]) for what in ("gain", "share"))
        assert shares.max() > 0
        assert not shares[gains == 0].any()  # of what agrees with the feature already


def test_models_together_are_told_apart_and_fusers_of_nothing_add_nothing(untrained: Path, tmp_path: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(untrained / "unet", dtype=torch.float32)
    LocalFuser.from_controlnet(ControlNetModel.from_unet(unet), 4).save_pretrained(tmp_path / "zero" / "local")
    base, scene = {"kind": "base", "model": str(untrained)}, {"scene": 7, "law": "two"}
    mask, *depths = ({"drawn": {**scene, "field": field}} for field in ("mask", "fg_depth", "bg_depth"))
    given = {"fusers": str(tmp_path / "zero"), "mask": mask, "depths": depths}
    fused = {"kind": "compose_and_conquer", "over": base, **given}
    united = {"kind": "unite", "models": [{"model": base}, {"model": {**base, "prompt": "a cube"}}]}
    of = [{"kind": "ddim", "of": {"kind": "guided", "model": fused}}, {"kind": "ddim", "of": united}]
    picture = {"kind": "amdm", "together": 1, "of": of}
    composer = Composer(Job.model_validate({"prompts": [""], "steps": 2, "picture": picture}), tmp_path)
    plain = composer([""], [0])
    composer.watch = Watch(1)
    assert torch.equal(composer([""], [0]), plain)
    notes = composer.watch.notes.of
    steps = {name: len(by_time) for name, by_time in notes.items()}
    assert steps == {
        ("estimate", "model 1: "): 2,
        ("guidance", "model 1: "): 2,
        ("share", "model 1: local fuser"): 2,
        ("estimate", "model 2: "): 1,
        ("guidance", "model 2: part 1: "): 1,
        ("guidance", "model 2: part 2: "): 1,
    }
    assert all(not layers.any() for layers in notes["share", "model 1: local fuser"].values())


def test_a_page_is_written_again_from_what_is_there_to_the_same_bytes(
    job: dict[str, Any], out: Path, given: Path
) -> None:
    before = (out / "index.html").read_bytes()
    compose(Job.model_validate(job), given, out, QUIET, page=True)
    assert (out / "index.html").read_bytes() == before


def test_the_job_is_told_in_words(job: dict[str, Any]) -> None:
    tree = tree_of(Job.model_validate(job))
    assert tree.text == "`freedom`: form `ancestral`"
    assert tree.note == "Steps guided by the plain sum of energies"
    of, first, _ = tree.branches
    assert of.text == "of `guided`: scale 5"
    assert first.text == "energies 1 `colour`: region `left.png`, colour (255, 0, 0), rho 0.1"
    (model,) = of.branches
    assert [own.text.partition(":")[0] for own in model.branches] == ["over `base`", "controls 1", "controls 2"]
    assert "speaks `left.png`" in model.branches[2].text


def test_silence_is_where_nothing_is_near_or_where_a_control_does_not_speak(job: dict[str, Any], given: Path) -> None:
    control = np.zeros((64, 64, 3), np.float32)
    control[:, 10] = 1
    silent = silent_area(control)
    assert not silent[:, 2:19].any()
    assert silent[:, 19:].all()
    assert not silent_area(np.ones((8, 8, 3), np.float32)).any()
    (strip,) = input_blocks([Job.model_validate(job)] * 2, given)
    assert isinstance(strip, Strip)
    notes = [(figure.label, figure.note) for figure in strip.figures]
    assert ("control of network", "0.png") in notes
    assert ("control of network", "1.png; silent in 50%") in notes
    assert ("image of edges", "2.png") in notes
    assert len(notes) == 4


def test_black_of_a_depth_is_no_silence() -> None:
    scene = {"scene": 7, "field": "depth"}
    controls = [{"network": "any", "image": {"drawn": scene}}, {"network": "any-depth", "image": "0.png"},
                {"network": "any", "image": "0.png"}]  # fmt: skip
    picture = {"of": {"kind": "guided", "model": {"kind": "minimal_impact", "controls": controls}}, "kind": "ddim"}
    told = list(inputs_of(Job.model_validate({"prompts": [""], "picture": picture})))
    assert [own.by_itself for own in told] == [False, False, True]


def test_seeds_are_rows_of_prompts_and_variants_are_flipped_through(job: dict[str, Any]) -> None:
    seeds = [found({**job, "prompts": [prompt], "seeds": [seed]}) for prompt in ("a", "b") for seed in (0, 1)]
    rows = result_blocks(seeds)
    assert all(isinstance(row, Strip) for row in rows)
    assert [(row.title, [own.label for own in row.figures]) for row in rows if isinstance(row, Strip)] == [
        ("a", ["seed 0", "seed 1"]),
        ("b", ["seed 0", "seed 1"]),
    ]
    variants = [found(with_strength(job, strength)) for strength in (0.5, 1.0, 2.0)]
    (flip,) = result_blocks(variants)
    assert isinstance(flip, Flip)
    assert [own.label for own in flip.figures] == ["strength 0.5", "strength 1.0", "strength 2.0"]
    assert flip.title == "a star, seed 0"


def test_settings_that_are_called_alike_are_told_apart(job: dict[str, Any]) -> None:
    one, other = with_strength(job, 1.0), with_strength(job, 2.0)
    other["picture"]["of"]["model"]["controls"][0]["strength"] = 0.5
    told = variants_of([found(one), found(other)])
    assert list(told.values()) == ["0.strength 1.0, 1.strength 1.0", "0.strength 0.5, 1.strength 2.0"]


def test_energies_are_lines_and_controls_are_shades() -> None:
    layers = [[0.0, 1.0, 4.0], [0.0, 2.0, 2.0]]
    numbers = [
        {"what": "energy", "of": "1. text", "at": [900, 500, 100], "values": [4.0, 2.0, 1.0]},
        {"what": "energy", "of": "2. style", "at": [900, 500], "values": [float("nan"), 2.0]},
        {"what": "cosine", "of": "1. text, 2. style", "at": [900, 500], "values": [-1.0, 0.5]},
        {"what": "share", "of": "canny", "at": [900, 100], "values": layers},
        {"what": "weight", "of": "canny", "at": [900, 100], "values": [[1.0] * 3] * 2},
    ]
    first, second = blocks_of({"foreseen": [], "numbers": numbers})
    assert isinstance(first, Charts)
    assert isinstance(second, Charts)
    (energies, cosines), (shades,) = first.charts, second.charts
    assert isinstance(energies, Lines)
    (line,) = energies.lines
    assert line.points == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)]
    assert line.span == "4 at first, 1 at last, 4 at most"
    assert isinstance(cosines, Lines)
    assert cosines.lines[0].points == [(0.0, 0.0), (0.5, 0.75)]
    assert isinstance(shades, HeatMap)
    assert (shades.rows, shades.columns, shades.most) == (["skip 1", "skip 2", "middle"], ["t 900", "t 100"], 4.0)
    assert shades.values == [[0.0, 0.0], [1.0, 2.0], [4.0, 2.0]]


def test_what_was_left_out_is_told_with_where_it_is_written(job: dict[str, Any]) -> None:
    one = {**job, "prompts": ["a star"], "seeds": [3]}
    safety = {"safety": {"by": "open-nsfw", "unsafe": 0.25}}
    made = found(one, cut=["a star"], batch=2, left_out={"energies.0": [981, 21]}, **safety)
    gone = found({**one, "seeds": [4]}, reason="its worker died of it twice")
    text, table = left_out_blocks([made, gone], [Row(7, wrong="rows.csv: row 7: column seed: it is no number")])
    assert "Judged by `open-nsfw`: 0.25 of 1 is the highest" in getattr(text, "text", "")
    assert isinstance(table, Table)
    rows = [tuple(cell.text for cell in row) for row in table.rows]
    assert rows == [
        ("row 7", "left out: wrong", "rows.csv: row 7: column seed: it is no number"),
        ("a star, seed 3", "text cut", "it is longer than its model reads: a star"),
        ("a star, seed 3", "batch made smaller", "memory held 2 at once"),
        ("a star, seed 3", "energies.0 left out", "it had no finite gradient at t 981, 21"),
        ("a star, seed 4", "withheld", "its worker died of it twice"),
    ]
    assert [row[0].link for row in table.rows][-1] == f"quarantine/{gone.asked.name}.json"


def test_of_many_pictures_the_first_are_shown_and_the_others_named(job: dict[str, Any], tmp_path: Path) -> None:
    place = LocalStorage(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    asked = [found({**job, "prompts": ["a star"], "seeds": [seed]}).asked for seed in range(3000)]
    for own in asked[:SHOWN]:
        place.write(f"{own.name}.png", encode_png(noise))
        place.write(f"{own.name}.json", json.dumps({**own.record, "safety": {"by": "none", "unsafe": None}}).encode())
    write_page(place, asked)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<img") == SHOWN
    assert f'href="{asked[SHOWN].name}.png"' in page
    assert asked[-1].name not in page
    assert f"The first {SHOWN} of 3,000." in page
    assert len(page) < 4_000_000


def test_ends_are_kept_of_what_is_thinned() -> None:
    assert evenly(range(50), 8) == [0, 7, 14, 21, 28, 35, 42, 49]
    assert evenly([3, 4], 8) == [3, 4]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize(("size", "dark"), [("phone", False), ("desktop", True)])
def test_the_page_fits_is_legible_and_loads_nothing(tab: Browser, out: Path, size: str, dark: bool) -> None:
    tab.open(out / "index.html", *SIZES[size], dark=dark)
    tab.value("document.querySelectorAll('details').forEach(own => own.open = true)")
    assert tab.value("document.scrollingElement.scrollWidth") <= SIZES[size][0]
    assert tab.value("[...document.images].every(image => image.naturalWidth > 0)")
    assert [url for url in tab.requests if not url.startswith("data:")] == [(out / "index.html").as_uri()]
    assert tab.complaints == []
    assert EVIL in tab.value("document.body.innerText")
    assert tab.value("document.querySelectorAll('.heat rect').length") > 20
    widths = "[...document.querySelectorAll('.chart > svg polyline')].map(own => own.getBoundingClientRect().width)"
    assert min(tab.value(widths)) > 50
    ratio, where = tab.value(CONTRAST)
    assert ratio >= LEGIBLE, where


def test_variants_are_flipped_through_by_keys(tab: Browser, job: dict[str, Any], tmp_path: Path) -> None:
    shades: Sequence[int] = (0, 100, 200)
    variants = [found(with_strength(job, own), np.full((64, 64, 3), own, np.uint8)) for own in shades]
    page = page_of([own.asked for own in variants], variants, 0)
    results = replace(page, sections=page.sections[:1])
    (tmp_path / "index.html").write_bytes(render(results))
    tab.open(tmp_path / "index.html", *SIZES["desktop"])
    seen = "[...document.querySelectorAll('.flip figure')].map(own => own.offsetParent !== null)"
    assert tab.value(seen) == [True, True, True]
    for number in range(3):
        tab.value(f"document.querySelectorAll('.flip label')[{number + 1}].click()")
        assert tab.value(seen) == [own == number for own in range(3)]
    tab.value("document.querySelector('.flip .all').click()")
    assert tab.value(seen) == [True, True, True]
