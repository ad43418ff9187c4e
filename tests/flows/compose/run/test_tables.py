"""That a table is many jobs in one run, and that its bad rows are named before anything loads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from sluice.flows.compose.run.batches import batches_of
from sluice.flows.compose.run.flow import Composed, compose, compose_table
from sluice.flows.compose.run.pictures import MadeOf
from sluice.flows.compose.run.tables import read_table, rows_of
from sluice.flows.compose.tree.job import Job
from sluice.infra.settings import ConfigError

QUIET = Console(quiet=True)
PICTURE = "picture.energies"
IMAGE = "picture.of.model.controls.0.image"
ROWS: list[dict[str, Any]] = [
    {"prompt": "a red star", "seed": 0, IMAGE: "0.png"},
    {"prompt": "a blue cube, on a shelf", "seed": 1, IMAGE: "1.png"},
    {"prompt": "", "seed": 2, IMAGE: "0.png"},
    {"prompt": None, "seed": None, IMAGE: "2.png"},
]


def write(
    folder: Path, job: dict[str, Any], rows: list[dict[str, Any]], name: str = "rows.parquet"
) -> tuple[Path, Path]:
    """A table and its job's file, beside what the job names."""
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    table = folder / name
    if table.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), table)
    elif table.suffix == ".jsonl":
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        cells = [",".join("" if cell is None else f'"{cell}"' for cell in row.values()) for row in rows]
        table.write_text("\n".join([",".join(rows[0]), *cells, ""]))
    return table, folder / "job.yaml"


def run(table: Path, job: Path, out: Path, *settings: str, console: Console = QUIET) -> Composed:
    return compose_table(table, job, settings, out, console)


@pytest.fixture
def folder(given: Path, tmp_path: Path) -> Path:
    for image in given.glob("*.png"):
        (tmp_path / image.name).symlink_to(image)
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((64, 96), np.uint8))
    return tmp_path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_rows_say_the_same_in_every_format(suffix: str, tmp_path: Path) -> None:
    table, _ = write(tmp_path, {}, ROWS, f"rows{suffix}")
    rows = read_table(table)
    wanted = [{name: cell for name, cell in row.items() if cell is not None} for row in ROWS]
    assert [{name: str(cell) for name, cell in row.items()} for row in rows] == [
        {name: str(cell) for name, cell in row.items()} for row in wanted
    ]


def test_rows_of_other_prompts_seeds_and_images_are_made_together(controlled: dict[str, Any], folder: Path) -> None:
    table, file = write(folder, controlled, ROWS, "rows.csv")
    asked = [own for row in rows_of(table, file, ["batch=4"], MadeOf(folder)) for own in row.asked]
    (batch,) = batches_of(asked)
    assert [own.prompt for own in batch.asked] == ["a red star", "a blue cube, on a shelf", "", "a red star"]
    composed = run(table, file, folder / "out", "batch=4")
    assert len(composed.made) == 4
    for row, name in zip(ROWS, composed.made, strict=True):
        controls = [{**controlled["picture"]["of"]["model"]["controls"][0], "image": row[IMAGE]}]
        model = {**controlled["picture"]["of"]["model"], "controls": controls}
        picture = {"kind": "ddim", "of": {"kind": "guided", "model": model}}
        prompts, seeds = [row["prompt"] if row["prompt"] is not None else "a red star"], [row["seed"] or 0]
        alone = Job.model_validate({**controlled, "batch": 4, "prompts": prompts, "seeds": seeds, "picture": picture})
        (same,) = compose(alone, folder, folder / "alone", QUIET).made
        assert same == name
        assert (folder / "alone" / f"{name}.png").read_bytes() == (folder / "out" / f"{name}.png").read_bytes()


def test_rows_of_other_energies_are_made_together(plain: dict[str, Any], folder: Path, untrained: Path) -> None:
    told = [("a red star", "0.png"), ("a blue cube", "1.png"), ("a red star", "2.png")]

    def guided(text: str, image: str) -> dict[str, Any]:
        style = {"kind": "style", "image": image, "by": str(untrained / "latent_judges"), "rho": 0.1}
        energies = [{"kind": "text", "text": text, "rho": 0.1}, style]
        return {**plain, "batch": 3, "picture": {"kind": "zmagic", "of": plain["picture"]["of"], "energies": energies}}

    rows = [{f"{PICTURE}.0.text": text, f"{PICTURE}.1.image": image} for text, image in told]
    table, file = write(folder, guided("a green cup", "0.png"), rows, "rows.jsonl")
    (batch,) = batches_of([own for row in rows_of(table, file, [], MadeOf(folder)) for own in row.asked])
    assert len(batch.asked) == 3
    composed = run(table, file, folder / "out")
    pictures = [(folder / "out" / f"{name}.png").read_bytes() for name in composed.made]
    assert len(set(pictures)) == 3
    for own, name, picture in zip(told, composed.made, pictures, strict=True):
        (same,) = compose(Job.model_validate(guided(*own)), folder, folder / "alone", QUIET).made
        assert same == name
        assert (folder / "alone" / f"{name}.png").read_bytes() == picture


def test_rows_may_change_anything_and_equal_ones_are_made_once(plain: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"steps": 2}, {"steps": 3}, {"steps": 2}, {"picture.of.scale": 1.0}]
    table, file = write(tmp_path, {**plain, "seeds": [0, 1]}, rows, "rows.jsonl")
    composed = run(table, file, tmp_path / "out")
    assert len(composed.made) == 6
    told = list(csv.DictReader((tmp_path / "out/rows.csv").open()))
    assert [line["row"] for line in told] == ["1", "1", "2", "2", "3", "3", "4", "4"]
    assert [told[0]["picture"], told[1]["picture"]] == [told[4]["picture"], told[5]["picture"]]
    assert {line["picture"] for line in told} == set(composed.made)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    (tmp_path / "out" / f"{composed.made[0]}.json").unlink()
    assert run(table, file, tmp_path / "out").made == composed.made
    changed = [path.stem for path, then in before.items() if path.stat().st_mtime_ns != then]
    assert changed == [composed.made[0]]


def test_a_few_rows_that_are_wrong_are_named_and_quarantined(plain: dict[str, Any], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": f"{number} stars", "steps": "1"} for number in range(40)]
    rows[6]["steps"] = "many"
    table, file = write(tmp_path, {**plain, "batch": 20}, rows, "rows.csv")
    said = io.StringIO()
    composed = run(table, file, tmp_path / "out", console=Console(file=said, width=300))
    assert f"{table}: row 7: column steps: input should be a valid integer" in said.getvalue()
    assert (len(composed.made), [row.number for row in composed.wrong]) == (39, [7])
    assert "row 7" in json.loads((tmp_path / "out/quarantine/row-7.json").read_text())["reason"]
    lines = list(csv.DictReader((tmp_path / "out/rows.csv").open()))
    assert len(lines) == 40
    assert [line["row"] for line in lines if line["wrong"]] == ["7"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({IMAGE: "nowhere.png"}, f"row 2: column {IMAGE}: .*nowhere.png, a condition of the job, is not there"),
        (
            {IMAGE: "wide.png"},
            f"row 2: column {IMAGE}: .*wide.png is 96 x 64 pixels, and the job's pictures are 64 x 64",
        ),
        ({IMAGE: "job.yaml"}, f"row 2: column {IMAGE}: .*job.yaml, a condition of the job, is no image that can be"),
        (
            {"picture.of.model.controls.1.image": "0.png"},
            "row 2: column .*: items of this list are counted from 0",
        ),
        ({"picture.of.scal": 1}, "row 2: column picture.of.scal: there is no such setting; did you mean 'scale'"),
        ({"prompt.of": "x"}, "row 2: column prompt.of: there is no such setting"),
        ({"stps": 3}, "row 2: column stps: there is no such setting; did you mean 'steps'"),
        ({"steps": 0}, r"row 2: column steps: input should be greater than or equal to 1 \(it is 0\)"),
        ({"steps.of": 3}, "row 2: column steps.of: there is a value before"),
        (
            {"picture.of.model.over.model": "no-model"},
            "row 2: column picture.of.model.over.model: 'no-model' is neither",
        ),
        ({"size": 32}, r"row 2: picture.of.model.controls.0.image of .*job.yaml: .*0.png is 64 x 64 pixels"),
        ({"seed": 1.5}, "row 2: column seed: input should be a valid integer"),
    ],
)
def test_a_row_that_is_wrong_is_named(
    cells: dict[str, Any], said: str, controlled: dict[str, Any], folder: Path
) -> None:
    table, file = write(folder, controlled, [{"prompt": "a"}, {"prompt": "b", **cells}], "rows.jsonl")
    with pytest.raises(ConfigError, match=f"1 of 2 rows are wrong, and nothing was begun:\n.*rows.jsonl: {said}"):
        run(table, file, folder / "out")


def test_what_is_wrong_with_the_job_is_not_said_of_rows(plain: dict[str, Any], tmp_path: Path) -> None:
    table, file = write(tmp_path, {**plain, "stps": 3}, ROWS[:1], "rows.csv")
    with pytest.raises(ConfigError, match=r"job\.yaml: stps: there is no such setting; did you mean 'steps'"):
        run(table, file, tmp_path / "out")
    table, file = write(tmp_path, {"picture": plain["picture"]}, [{"seed": 1}])
    with pytest.raises(ConfigError, match=r"job\.yaml: prompts: field required; mend it there, or have a column"):
        run(table, file, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rows.txt", "prompt\n", r"must end in \.parquet, \.csv, \.jsonl"),
        ("rows.csv", "prompt\n", "has no rows"),
        ("rows.csv", "prompt,seed\na\n", "is no csv that can be read: .*Expected 2 columns, got 1"),
        ("rows.jsonl", '{"seed": 1}\n{"seed": \n', "is no jsonl that can be read: .*in row 1"),
        ("rows.parquet", "prompt\n", "is no parquet that can be read"),
        ("none.csv", None, "there is no file"),
        ("both.csv", "prompt,prompts\na,b\n", "has columns prompt and prompts, of which one would go unheard"),
        ("twice.csv", "seed,prompt,seed\n1,a,2\n", "has columns twice, of which one would go unheard: seed"),
    ],
)
def test_what_is_no_table_is_refused(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_table(tmp_path / name)
