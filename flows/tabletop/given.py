"""Parts of a family that is trained already, taken instead of training them: looked at first, as they are believed."""

from __future__ import annotations

import shutil
from pathlib import Path

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from sluice.flows.tabletop.runs import DONE, TAKEN, UntrainedPart
from sluice.infra.digests import sha256_of
from sluice.infra.weights.pretrained import load, load_network
from sluice.infra.whole import write_whole
from sluice.training.tabletop.recipe import Part

NETWORKS = {
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModelWithProjection,
    "image_encoder": CLIPVisionModelWithProjection,
    "unet": UNet2DConditionModel,
}
BESIDE = {"tokenizer": CLIPTokenizer, "feature_extractor": CLIPImageProcessorPil, "scheduler": DDIMScheduler}


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
    """Raises ModelFolderError where a folder of a family is not what its name says."""
    if place.name in NETWORKS:
        load_network(NETWORKS[place.name], place)
    elif place.name in BESIDE:
        load(BESIDE[place.name], place)


def _copy(there: Path, to: Path) -> None:
    if there.is_dir():
        shutil.copytree(there, to, dirs_exist_ok=True)
    else:
        shutil.copy(there, to)
