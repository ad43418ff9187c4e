"""COCO-MIG's own file in place of tabletop's scenes: read, refused, and measured by judges or by networks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.coco_mig import CocoMig
from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.opened import opened
from sluice.flows.evaluate.protocols import aggregates as by
from sluice.flows.evaluate.protocols import amdm
from sluice.flows.evaluate.results import read
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import Place, evaluate
from sluice.inference.metrics.instances import Instance
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights
from tests.flows.runs import SLUICE
from tests.preprocess.tiny_grounding_dino import save_grounding_dino
from tests.preprocess.tiny_sam import random_sam, save

LEFT, RIGHT, MIDDLE = [0.0, 0.25, 0.5, 1.0], [0.5, 0.25, 1.0, 1.0], [0.25, 0.0, 0.75, 0.5]
ONLY_TOLD = {by.TEXT, by.BOXES, by.TOLD_BOTH, by.AMDM}


def written(folder: Path, *labels: list[str]) -> Path:
    """A file of pictures with these labels in boxes beside each other."""
    asked = {
        str(key): {
            "caption": " and ".join(some),
            "segment": [{"bbox": box, "label": label} for label, box in zip(some, (LEFT, RIGHT, MIDDLE), strict=False)],
            "image_id": key,
        }
        for key, some in enumerate(labels)
    }
    (folder / "mig_bench.json").write_text(json.dumps(asked))
    return folder / "mig_bench.json"


def measured(data: CocoMig, place: Path) -> Results:
    at = Place(data.base, Networks("tabletop"), place, place / "results", Console(quiet=True), data, "none")
    evaluate([("amdm", Settings(scenes=8, seeds=1, steps=1))], at)
    return read(place / "results" / "amdm.json")


def test_what_a_case_asks_for(tmp_path: Path) -> None:
    file = written(tmp_path, ["a red stop sign", "a Blue dog"], ["a red ball", "a blue cube"])
    first, _ = CocoMig(file, "tabletop").cases(8)
    assert first.prompt == "a red stop sign and a Blue dog"
    assert first.instances == [
        Instance("stop sign", "red", (0, 16, 32, 64)),
        Instance("dog", "blue", (32, 16, 64, 64)),
    ]
    assert first.things == [{"phrase": "a red stop sign", "box": LEFT}, {"phrase": "a Blue dog", "box": RIGHT}]


def test_the_box_model_of_tabletop_is_told_no_colours(tmp_path: Path) -> None:
    data = CocoMig(written(tmp_path, ["a red ball", "a blue cube"]), "tabletop")
    assert data.by_judges
    assert [own["phrase"] for own in data.cases(1)[0].things] == ["a ball", "a cube"]


def test_cases_are_the_first_of_each_level(tmp_path: Path) -> None:
    two, three = ["a red cat", "a blue dog"], ["a red cat", "a blue dog", "a white cat"]
    data = CocoMig(written(tmp_path, two, two, two, three, three), "tabletop")
    assert [case.key for case in data.cases(3)] == ["0", "1", "3"]
    assert [case.key for case in data.cases(100)] == ["0", "1", "2", "3", "4"]


def test_tabletops_nouns_are_seen_by_the_judges(untrained: Path, tmp_path: Path) -> None:
    file = written(tmp_path, ["a red ball", "a blue cube"], ["a green ball", "a black cube"])
    found = measured(CocoMig(file, str(untrained)), tmp_path)
    assert {own.method for own in found.estimates} == ONLY_TOLD
    assert {own.condition for own in found.estimates} == {"all", "L2"}
    assert {own.figure for own in found.estimates} == {amdm.SUCCESS, amdm.OVERLAP}
    assert set(found.claims[0].verdicts) == {f"{by.AMDM}, against {own}" for own in (by.TEXT, by.BOXES, by.TOLD_BOTH)}
    assert "judges" in found.made_of
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2 * len(ONLY_TOLD)


def test_other_nouns_are_seen_as_coco_mig_sees_them(untrained: Path, tmp_path: Path) -> None:
    file = written(tmp_path, ["a red cat", "a blue dog"], ["a white cat", "a black dog"])
    detector = save_grounding_dino(tmp_path / "dino")
    segmenter = save(random_sam(), tmp_path / "sam.safetensors")
    data = CocoMig(file, str(untrained), str(detector), str(segmenter))
    found = measured(data, tmp_path)
    assert {"grounding-dino", "sam-vit-h"} <= set(found.made_of)
    assert "judges" not in found.made_of
    detect, _ = data.sees(torch.zeros(3, 64, 64))
    assert detect("cat").shape[1:] == (4,)


def test_networks_that_are_not_here_are_named_before_anything_is_made(untrained: Path, tmp_path: Path) -> None:
    file = written(tmp_path, ["a red cat", "a blue dog"], ["a white cat", "a black dog"])
    with pytest.raises(MissingWeights, match="sluice models pull grounding-dino"):
        measured(CocoMig(file, str(untrained)), tmp_path)
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "a cat"}, r"0.segment.1.*a label is a colour .red, .*and not 'a cat'"),
        ({"label": "red"}, "a label is a colour"),
        ({"label": ""}, "a label is a colour"),
        ({"bbox": [0.5, 0.1, 0.2, 0.3]}, "left, top, right, bottom in shares of the picture, and not"),
        ({"bbox": [10, 20, 200, 300]}, r"0.segment.1.bbox.0.*less than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = written(tmp_path, ["a red cat", "a blue dog"])
    asked = json.loads(file.read_text())
    asked["0"]["segment"][1] |= change
    file.write_text(json.dumps(asked))
    with pytest.raises(ConfigError, match=f"(?s)mig_bench.json.*{said}"):
        CocoMig(file, "tabletop").cases(1)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("[1]", "amdm", "Expected is COCO-MIG's own file"),
        ("{", "amdm", "is no JSON that can be read"),
        ("{}", "amdm", "asks for 0 pictures; an interval takes 2"),
        ("{}", "unite", "'unite' is not of instances in boxes"),
    ],
)
def test_other_files_and_other_protocols_are_refused(text: str, name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mig.json").write_text(text)
    data = opened(str(tmp_path / "mig.json"), "tabletop")
    at = Place("tabletop", Networks("tabletop"), tmp_path, tmp_path / "results", Console(quiet=True), data)
    with pytest.raises(ConfigError, match=said):
        evaluate([(name, Settings(scenes=2, seeds=1, steps=1))], at)


def test_the_command_takes_the_file_as_data(tmp_path: Path) -> None:
    words = ["evaluate", "--protocol", "amdm", "--scenes", "2", "--seeds", "1", "--steps", "1", "--data"]
    file = written(tmp_path, ["a red ball", "a blue cube"], ["a green ball", "a black cube"])
    results = f"evaluation/results/{CocoMig(file, '').version}"
    for name, code, said in ((file.name, 0, results), ("gone.json", 2, "--data gone.json: there is no such file")):
        run = subprocess.run([SLUICE, *words, name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (run.returncode, said in run.stdout + run.stderr) == (code, True), run.stderr
