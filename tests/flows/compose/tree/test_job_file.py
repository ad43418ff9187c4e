"""That a job which cannot be is refused before anything loads, with the line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.compose.tree.job import Amdm, Ddim, Unite, ZMagic, what_is
from sluice.flows.compose.tree.job_file import EXAMPLES, example, line_of, read_job
from sluice.infra.settings import ConfigError


def write(folder: Path, picture: str, more: str = "") -> Path:
    (folder / "job.yaml").write_text(f"prompts: [a red star]\n{more}picture: {picture}\n")
    return folder / "job.yaml"


def refusal(job: Path, *settings: str) -> str:
    with pytest.raises(ConfigError) as refused:
        read_job(job, settings)
    return str(refused.value)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_job_and_says_what_it_is(path: Path) -> None:
    assert read_job(path).prompts
    assert example(path.stem).startswith("# ")


def test_what_nests_can_be_written(tmp_path: Path) -> None:
    guided = "{kind: guided, scale: 2, model: {kind: minimal_impact, controls: [{network: n, image: i.png}]}}"
    energies = "[{kind: text, text: a star, rho: 0.1}, {kind: edges, image: e.png, rho: 1}]"
    job = read_job(write(tmp_path, f"{{kind: zmagic, of: {guided}, energies: {energies}}}"))
    assert isinstance(job.picture, ZMagic)
    nested = f"{{kind: zmagic, of: {guided}, energies: {energies}}}"
    job = read_job(write(tmp_path, f"{{kind: amdm, of: [{nested}, {{kind: ddim}}], start: independent}}"))
    assert isinstance(job.picture, Amdm)
    job = read_job(write(tmp_path, "{kind: ddim, of: {kind: unite, models: [{model: {kind: base}, weight: 3}]}}"))
    assert isinstance(job.picture, Ddim)
    assert isinstance(job.picture.of, Unite)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (
            "{kind: ddim, of: {kind: unite, models: [{model: {kind: zmagic, energies: []}}]}}",
            "a model predicts, and a step has gone on to the next moment: put it around all of these",
        ),
        (
            "{kind: ddim, of: {kind: unite, models: [{model: {kind: guided}}]}}",
            "picture.of.models.0.model: guided is a denoiser, and here goes one of 'base', 'minimal_impact'",
        ),
        ("{kind: amdm, of: [{kind: amdm, of: []}, {kind: ddim}]}", "'zmagic': aggregates are outermost"),
        (
            "{kind: ddim, of: {kind: guided, model: {kind: minimal_impact, over: {kind: boxes}, controls: []}}}",
            "over: boxes is a model, and here goes one of 'base', 'compose_and_conquer': controls act on what a base",
        ),
        (
            "{kind: ddim, of: {kind: guided, model: {kind: multi_controlnet, rule: as_printed, controls: "
            "[{network: n, image: i.png}]}}}",
            "the rule as_printed is of two controls, and here are 1",
        ),
        (
            "{kind: ddim, of: {kind: unite, models: [{model: {kind: base}, reliability: 0}]}}",
            "no model is relied on for the null prediction: give one a `reliability` above 0",
        ),
        (
            "{kind: ddim, of: {kind: guided, scale: .inf}}",
            "picture.of.scale: input should be a finite number (it is inf)",
        ),
        ("{kind: base}", "picture: base is a model, and here goes one of 'ddim', 'freedom', 'zmagic', 'amdm'"),
        ("{kind: dim}", "picture: there is no kind 'dim'; did you mean 'ddim'?"),
        ("{eta: 1}", "picture: it has no `kind`"),
        ("{kind: amdm, of: [{kind: ddim}, {kind: ddim}], weights: [1, 0]}", "picture: 2 models take 1 weights, not 2"),
        ("{kind: amdm, of: [{kind: ddim}, {kind: ddim}], eta: [0.5]}", "picture: 2 models take an eta each, not 1"),
        (
            "{kind: amdm, of: [{kind: ddim}, {kind: ddim}], eta: [1, 1], eta_absolute: [9, 9]}",
            "picture: how far a model is drawn back is told by `eta` or by `eta_absolute`, not by both",
        ),
        (
            "{kind: amdm, of: [{kind: ddim, repeats: {times: 2}}, {kind: ddim}]}",
            "picture: amdm's models walk together, and `repeats` would take one of them back alone",
        ),
        (
            "{kind: ddim, repeats: {times: 2, between: [300, 600]}}",
            "picture.repeats: timesteps fall, from noise to picture: between [600, 300]",
        ),
        (
            "{kind: ddim, of: {kind: guided, model: {kind: class, label: mug, over: {kind: base, prompt: a}}}}",
            "picture.of.model: a model of classes reads no prompt",
        ),
        (
            "{kind: ddim, of: {kind: guided, model: {kind: boxes, things: [{phrase: a, box: [0.5, 0, 0.2, 1]}]}}}",
            "things.0: a box is left, top, right, bottom in shares of the picture",
        ),
        (
            "{kind: freedom, energies: [{kind: text, text: 3, rho: 1}]}",
            "picture.energies.0.text: input should be a valid",
        ),
        (
            "{kind: freedom, energies: [{kind: colour, region: m.png, colour: [0, 300, 0], rho: 1}]}",
            "picture.energies.0.colour.1: input should be less than or equal to 255 (it is 300)",
        ),
        (
            "{kind: amdm, of: [{kind: ddim}, {kind: ddim}], eta_absolute: [1.0e+300, 1]}",
            "picture.eta_absolute: it is to be 1e+30 at most",
        ),
        ("{kind: ddim, eta: 2}", "picture.eta: input should be less than or equal to 1 (it is 2)"),
    ],
)
def test_what_does_not_nest_is_refused_with_its_line(picture: str, said: str, tmp_path: Path) -> None:
    job = write(tmp_path, picture)
    assert said in refusal(job)
    assert refusal(job).startswith(f"{job}:2: picture")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("7", "here goes a file, {drawn: {scene: 7, field: canny}} or {record: KEY, of: DATASET} (it is 7)"),
        ("{drawn: {scne: 7}}", "image.drawn.scne: there is no such setting; did you mean 'scene'?"),
        ("{drawn: {scene: 7, law: too}}", "image.drawn.law: there is no such law; there are: tabletop, objects"),
        ("{drawn: {scene: 7, field: cany}}", "image.drawn.field: input should be 'image', 'canny'"),
        ("{record: abc}", "image.of: field required"),
        ("{record: abc, of: data, feld: hed}", "image.feld: there is no such setting; did you mean 'field'?"),
    ],
)
def test_images_that_are_no_files_are_read_with_care(image: str, said: str, tmp_path: Path) -> None:
    controls = f"[{{network: n, image: {image}}}]"
    refused = refusal(
        write(
            tmp_path, f"{{kind: ddim, of: {{kind: guided, model: {{kind: multi_controlnet, controls: {controls}}}}}}}"
        )
    )
    assert said in refused
    assert f"{tmp_path}/job.yaml:2: picture.of.model.controls.0.image" in refused


def test_a_list_is_not_said_to_be_empty_where_its_items_are_wrong(tmp_path: Path) -> None:
    said = refusal(write(tmp_path, "{kind: ddim, of: {kind: unite, models: [{model: {kind: zmagic}}]}}"))
    assert len(said.splitlines()) == 1


def test_unknown_settings_and_values_are_named(tmp_path: Path) -> None:
    job = write(tmp_path, "{kind: ddim}", more="stps: 3\n")
    assert refusal(job) == f"{job}:2: stps: there is no such setting; did you mean 'steps'?"
    assert f"{job}:1: seeds: tuple should have at least 1 item" in refusal(write(tmp_path, "{kind: ddim}"), "seeds=[]")


def test_settings_are_put_over_the_files(tmp_path: Path) -> None:
    job = read_job(write(tmp_path, "{kind: ddim}"), ["steps=7", "picture.of={kind: guided, scale: 3}"])
    assert job.steps == 7
    assert isinstance(job.picture, Ddim)
    assert job.picture.of.kind == "guided"


def test_an_unknown_example_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no example 'zmagik'; did you mean 'zmagic'"):
        example("zmagik")


def test_lines_are_of_the_nearest_thing_around() -> None:
    text = "a: 1\nb:\n  - c: 2\n  - d: 3\n"
    assert [line_of(text, place) for place in ([], ["b"], ["b", 1], ["b", 1, "d"], ["b", 1, "x"])] == [1, 2, 4, 4, 4]


def test_every_kind_is_something() -> None:
    assert [what_is(kind) for kind in ("base", "class", "unite", "freedom", "amdm", "edges", "nothing")] == [
        "a model",
        "a model",
        "a denoiser",
        "a step",
        "an aggregate",
        "an energy",
        None,
    ]
