"""The data set card: a Hugging Face style README that goes with every version."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import yaml

from sluice.preprocess.record import field_named
from sluice.preprocess.version.cut import withdrawn_from
from sluice.preprocess.version.manifest import Version

CARD = "README.md"
WITHDRAWN = "Images withdrawn since this version was made"
COLUMNS = {"jpg": "image", "png": "image", "txt": "string", "json": "json"}
LOADING = """\
import io
import json
import pathlib

import numpy
import PIL.Image
import webdataset


def pixels(data):
    return numpy.asarray(PIL.Image.open(io.BytesIO(data)))


def array(data):
    return numpy.load(io.BytesIO(data))


KINDS = {"jpg": pixels, "png": pixels, "npy": array, "json": json.loads, "txt": bytes.decode}


def decode(name, data):  # webdataset's own decoders cut 16 bits to 8, and run what a pickle says
    return KINDS[name.rpartition(".")[2]](data)


shards = sorted(map(str, pathlib.Path(".").glob("DATASET-*.tar")))
records = webdataset.WebDataset(shards, shardshuffle=False).decode(decode, post=[])"""


def dataset_card(version: Version) -> str:
    """Markdown with a YAML head: what the set holds, how it was made, what a user must know, how to load it."""
    manifest = version.manifest
    head: dict[str, Any] = {
        "pretty_name": version.dataset,
        "task_categories": ["text-to-image"],
        "configs": [{"config_name": "default", "data_files": f"{version.dataset}-*.tar"}],
    }
    counts = manifest["counts"]
    fields = sorted({field for stage in manifest["stages"] for field in stage["writes"]})
    features = [_feature(field) for field in fields]
    if all(features):  # else `datasets` guesses from the first records, and trips over JSON that varies
        head["dataset_info"] = {"features": [*(_column(name, "string") for name in ("__key__", "__url__")), *features]}
    noted: dict[str, list[str]] = defaultdict(list)
    for stage in manifest["stages"]:
        for note in stage["notes"]:
            noted[note].append(stage["name"])
    notes = [f"- **{', '.join(names)}**: {note}" for note, names in noted.items()]
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False).strip(),
        "---",
        f"# {version.dataset} {version.id}",
        "",
        f"Records: {counts['records']}. Shards: {len(manifest['shards'])}. Images: {counts['images']}, "
        f"of these duplicates: {counts['duplicates']}, quarantined: {counts['quarantined']}, "
        f"filtered out: {counts['filtered']}.",
        "",
        *withdrawn_lines(version),
        "## Fields",
        "",
        "Each record is `<key>.<field>`; the key is the beginning of the SHA-256 of the original file.",
        "",
        "| field | what it is |",
        "|---|---|",
        *(f"| `{name}` | {field_named(name).describes} |" for name in fields),
        "",
        "## Stages",
        "",
        "| stage | model | version | fingerprint |",
        "|---|---|---|---|",
        *(_stage_row(stage) for stage in manifest["stages"]),
    ]
    if notes or manifest["left_out"]:
        lines += ["", "## What to know", "", *notes, *(f"- {line}" for line in manifest["left_out"])]
    lines += [
        "",
        "## Loading",
        "",
        "```python",
        LOADING.replace("DATASET", version.dataset),
        "```",
        "",
        "or, from the same folder, with this card's list of columns:",
        "",
        "```python",
        "import os",
        "",
        "import datasets",
        "",
        'rows = datasets.load_dataset(os.path.abspath("."), split="train")',
        "```",
    ]
    return "\n".join(lines) + "\n"


def withdrawn_lines(version: Version) -> list[str]:
    """What a version says of the records that were withdrawn from it, and an empty line; nothing where none were."""
    keys = withdrawn_from(version)
    return [f"{WITHDRAWN}: {len(keys)}.", ""] if keys else []


def note_withdrawn(card: str, before: Version, after: Version) -> str:
    """A card after a withdrawal: written anew, or where somebody wrote in it, with a line at its end."""
    if card in (dataset_card(before), dataset_card(after)):
        return dataset_card(after)
    own = [line for line in card.split("\n") if not line.startswith(WITHDRAWN)]
    return "\n".join([*own, *withdrawn_lines(after)])


def _feature(name: str) -> dict[str, Any] | None:
    """A field as a column of Hugging Face's `datasets`; None for an array whose axes nobody told."""
    suffix = name.rpartition(".")[2]
    if suffix in COLUMNS:
        return _column(name, COLUMNS[suffix])
    field = field_named(name)
    column: Any = field.dtype
    for _ in range(field.axes):
        column = {"list": column}
    return {"name": name, **column} if field.axes else None


def _column(name: str, dtype: str) -> dict[str, Any]:
    return {"name": name, "dtype": dtype}


def _stage_row(stage: dict[str, Any]) -> str:
    return f"| {stage['name']} | {stage['model'] or '-'} | {stage['version']} | `{stage['fingerprint']}` |"
