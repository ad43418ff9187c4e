"""Whether a picture may be shown: what judges it, on unless it is turned off, and never silently off."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from sluice.flows.compose.tree.misfit import Misfit
from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import ROOT, MissingWeights, UnknownModel, find
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.record import Array

NONE, USUAL = "none", "open-nsfw"
THRESHOLD = 0.8
"""Of a probability; diffusers' checker has thresholds of its own and says yes or no."""
LABELS = ("nsfw",)
WORDS = Path("tokenizer/tokenizer.json")

Screen = Callable[[Array], float]
"""How unsafe an RGB uint8 picture `(height, width, 3)` is, 0 to 1."""


class Unscreened(SluiceError):
    """Pictures would be made that nothing judges, and nobody said so."""


@dataclass(frozen=True)
class Verdict:
    """What judged a picture, and how unsafe it found it, 0 to 1; None where nothing judges."""

    by: str
    unsafe: float | None = None

    @property
    def refused(self) -> bool:
        return self.unsafe is not None and self.unsafe > THRESHOLD

    def plain(self) -> dict[str, Any]:
        """For a record."""
        return asdict(self)


def usual(models: Collection[str]) -> str:
    """What judges pictures of these models unless a job says: nothing where all draw tabletop's scenes alone."""
    return NONE if all(_is_tabletop(find(name).path) for name in models) else USUAL


def found_or_refused(name: str) -> str:
    """The digest of what judges. Raises Unscreened where it is not there, Misfit for an unknown name."""
    try:
        return find(name).digest
    except UnknownModel as error:
        raise Misfit([(("safety",), f"{error} Or `none`: nothing judges the pictures then")]) from error
    except MissingWeights as error:
        raise Unscreened(
            f"Pictures are judged before they are kept. {error} Or say `--safety none` (`safety: none` in the job): "
            "nothing judges them then, and each one's .json says so."
        ) from error


def judged(name: str, screen: Screen | None, picture: Array) -> Verdict:
    """A picture's verdict."""
    return Verdict(name, None if screen is None else round(screen(picture), 4))


def screen_of(name: str, device: str = "cpu") -> Screen | None:
    """What judges, loaded: open-nsfw, diffusers' safety checker or a classifier of transformers, by its folder."""
    if name == NONE:
        return None
    try:
        return _loaded(find(name).path, device)
    except SluiceError as error:
        raise ConfigError(
            f"safety: {name} is no classifier that can be loaded ({error}): name open-nsfw, or a folder of diffusers' "
            "safety checker or of a classifier of transformers"
        ) from error


def _loaded(path: Path, device: str) -> Screen:
    if path.is_file():
        from sluice.preprocess.perception.nsfw import open_nsfw
        from sluice.preprocess.perception.onnx import OnnxNetwork

        network = OnnxNetwork(path)
        return lambda picture: open_nsfw(network, picture)
    return _checker(path, device) if _is_checker(path) else _classifier(path, device)


def reads_tabletop(vocabulary: Collection[str]) -> bool:
    """Whether a tokenizer's words are those of tabletop's captions."""
    own = json.loads((ROOT / "models" / "tabletop" / WORDS).read_text())
    return set(vocabulary) == set(own["model"]["vocab"])


def _is_tabletop(folder: Path) -> bool:
    """By the words that it, or the family in whose folder it lies, reads: no model of photographs has so few."""
    file = next((place / WORDS for place in (folder, folder.parent) if (place / WORDS).is_file()), None)
    return file is not None and reads_tabletop(json.loads(file.read_text())["model"]["vocab"])


def _is_checker(folder: Path) -> bool:
    config = folder / "config.json"
    named = json.loads(config.read_text()).get("architectures") if config.is_file() else None
    return named == ["StableDiffusionSafetyChecker"]


def _checker(folder: Path, device: str) -> Screen:
    """In a pipeline's folder its pictures' preparation lies beside it."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import AutoImageProcessor

    beside = folder if (folder / "preprocessor_config.json").is_file() else folder.parent / "feature_extractor"
    processor = load(AutoImageProcessor, beside, backend="pil")
    network = load_network(StableDiffusionSafetyChecker, folder, dtype=torch.float32).to(device)

    def screen(picture: Array) -> float:
        seen = processor(images=picture, return_tensors="pt").pixel_values.to(device)
        _, unsafe = network(clip_input=seen, images=[picture])
        return float(unsafe[0])

    return screen


def _classifier(folder: Path, device: str) -> Screen:
    from sluice.preprocess.perception.nsfw import Classifier

    try:
        return Classifier(folder, LABELS, torch.device(device), torch.float32)
    except ValueError as error:
        raise ConfigError(
            f"safety: the classifier in {folder} has no label '{LABELS[0]}', whose probability is what is taken"
        ) from error
