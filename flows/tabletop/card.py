"""The model card of a trained family: what each folder is, and every figure that was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sluice.flows.evidence.networks import read_evidence
from sluice.flows.tabletop.figure import Figure
from sluice.flows.training.card import ORIGIN
from sluice.infra.page.text import bytes_text
from sluice.infra.whole import write_whole
from sluice.training.tabletop.scenes import HELD_OUT, TRAINING

FOLDERS = {
    "vae": ("AutoencoderKL", "64 x 64 pictures to 16 x 16 x 4 latents and back"),
    "tokenizer": ("CLIPTokenizer", "77 tokens; every word of the captions is one"),
    "text_encoder": ("CLIPTextModelWithProjection", "captions to states and to a point that their picture shares"),
    "image_encoder": ("CLIPVisionModelWithProjection", "pictures to the same points"),
    "judges": ("SegformerForSemanticSegmentation", "classes, depth, pose and landmarks, as `judge/label` rows"),
    "latent_judges": ("SegformerForSemanticSegmentation", "the same from latents"),
    "identity": ("CLIPVisionModelWithProjection", "a face plate to what stays the same whatever it does"),
    "unet": ("UNet2DConditionModel", "epsilon, text; its `scheduler` is Stable Diffusion's"),
    "inpaint_unet": ("UNet2DConditionModel", "nine channels, begun as `unet`: the thing in the hole is gone"),
    "unet_class": ("UNet2DModel", "by a shape's number, cosine schedule, learned variance"),
    "unet_boxes": ("UNet2DConditionModel, gated", "by boxes (GLIGEN); its captions never named a thing's colour"),
    "ip_adapter": ("IP-Adapter", "a reference picture for `unet`"),
    "unet_face": ("UNet2DModel", "pixels, no condition: face plates"),
}


def write_card(models: Path, figures: Sequence[Figure]) -> Path:
    """`README.md` and `figures.json` beside the models; nothing in either is typed by hand."""
    path = models / "README.md"
    write_whole(models / "figures.json", json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    write_whole(path, "\n".join(card_lines(models, figures)) + "\n")
    return path


def card_lines(models: Path, figures: Sequence[Figure]) -> list[str]:
    """The card, line by line."""
    there = {name: what for name, what in FOLDERS.items() if (models / name).exists()}
    size = sum(file.stat().st_size for file in models.rglob("*.safetensors"))
    missed = [figure for figure in figures if not figure.reached]
    return [
        "# The tabletop family",
        "",
        "Small networks of diffusers' and transformers' own classes, fp16 safetensors, trained on scenes of Sluice's "
        f"renderer (seed {TRAINING}) by `sluice train tabletop` and, for control, `sluice train evidence`: "
        f"{bytes_text(size)} in all. They know this world and no other. Written by `sluice train measure --card`.",
        "",
        "diffusers reads the family as it is: `StableDiffusionPipeline.from_pretrained(FOLDER, dtype=torch.float32)`. "
        "Without a `dtype` it has the U-Net and the autoencoder in float32 and the encoders in fp16, which do not mix.",
        "",
        "| folder | class | what it does | size |",
        "|---|---|---|---|",
        *(f"| `{name}` | {kind} | {what} | {_size(models / name)} |" for name, (kind, what) in there.items()),
        *_control_lines(models),
        "",
        "## Figures",
        "",
        f"On scenes that nothing was trained on (seed {HELD_OUT}); noise is seeded, so that the figures repeat. "
        + ("Every floor is reached." if not missed else f"Floors missed: {len(missed)}, in bold."),
        "",
        "| part | figure | value | floor | measured on |",
        "|---|---|---|---|---|",
        *map(_row, figures),
    ]


def _control_lines(models: Path) -> list[str]:
    """The networks for control that are there: how each was trained."""
    there = {name: models / name for name in read_evidence().networks if (models / name).exists()}
    if not there:
        return []
    return [
        "",
        "## Networks for control",
        "",
        "What they obey, and what they leave alone, is measured in [the results](../../docs/results.md).",
        "",
        "| folder | recipe | of | samples | size |",
        "|---|---|---|---|---|",
        *(f"| `{name}` | {_trained(folder)} | {_size(folder)} |" for name, folder in there.items()),
    ]


def _trained(folder: Path) -> str:
    """By which recipe, for which control, with how many samples."""
    told = json.loads((folder / ORIGIN).read_text())
    recipe = told["recipe"]
    rebalanced = ", rebalanced" if recipe.get("rebalanced") else ""
    control = recipe.get("control", "depths, exemplars")
    return f"{recipe['method']}{rebalanced} | {control} | {told['steps'] * recipe['batch']:,}"


def _row(figure: Figure) -> str:
    value = f"{figure.value:.3g}" if figure.reached else f"**{figure.value:.3g}**"
    return f"| {figure.part} | {figure.name} | {value} | {figure.held_to} | {figure.measured_on} |"


def _size(folder: Path) -> str:
    return bytes_text(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
