"""Parts of a family that is trained already, taken instead of training them: looked at first, as they are believed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import transformers

from sluice.flows.tabletop.runs import DONE, TAKEN, UntrainedPart
from sluice.infra.digests import sha256_of
from sluice.infra.pretrained import ModelFolderError, load, load_network
from sluice.infra.whole import write_whole
from sluice.training.tabletop.recipe import Part

BESIDE = {
    "tokenizer": transformers.CLIPTokenizer,
    "feature_extractor": transformers.CLIPImageProcessorPil,
    "scheduler": diffusers.DDIMScheduler,
}


def take(part: Part, given: Path, out: Path) -> None:
    """Have a part from the folder of a trained family, instead of training it.

    Raises UntrainedPart where the family lacks it, ModelFolderError where what it has is not whole.
    """
    missing = [name for name in (part.name, *part.beside) if not (given / name).exists()]
    if missing:
        raise UntrainedPart(
            f"{given} has no {' and no '.join(missing)}: train {part.name} with `sluice train "
            f"tabletop --only {part.name} --out {out}`, or give a family that has it, such as `tabletop`."
        )
    for name in (part.name, *part.beside):
        _look_at(given / name)
    (out / "models").mkdir(parents=True, exist_ok=True)
    for name in (part.name, *part.beside):
        _copy(given / name, out / "models" / name)
    write_whole(out / "runs" / part.name / DONE, f"{TAKEN}, files {sha256_of(given / part.name)[:12]}\n")


def _look_at(place: Path) -> None:
    """Raises ModelFolderError where a folder of a family cannot be loaded as what it says it is."""
    if place.is_file():
        return
    if place.name in BESIDE:
        load(BESIDE[place.name], place)
    else:
        load_network(_kind(place), place)


def _kind(folder: Path) -> Any:
    """The class of diffusers or transformers that a network's `config.json` names."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text())
        if "_class_name" in config:
            return getattr(diffusers, config["_class_name"])
        return getattr(transformers, config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelFolderError(
            f"{file} names no network of diffusers (`_class_name`) or transformers (`architectures`): {folder} is no "
            "part of a trained family. Give the `models` folder of a finished `sluice train tabletop`, or `tabletop`."
        ) from error


def _copy(there: Path, to: Path) -> None:
    if there.is_dir():
        shutil.copytree(there, to, dirs_exist_ok=True)
    else:
        shutil.copy(there, to)
