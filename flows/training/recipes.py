"""Recipes by name: ready ones, each for the paper's scale and for tabletop, or a file of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.infra.settings import ConfigError, nearest, override, parse, read_settings
from sluice.training.recipe import Recipe

READY = Path(__file__).parents[1] / "configs" / "recipes"
SCALES = ("tabletop", "paper")


def ready_recipes() -> list[str]:
    """Their names."""
    return sorted(path.stem for path in READY.glob("*.yaml"))


def load_recipe(name: str, scale: str = "tabletop", settings: Sequence[str] = ()) -> Recipe:
    """A ready recipe by name, or a YAML file, at a scale, with each `a=b` of settings in it. Raises ConfigError."""
    path = READY / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
        if not path.suffix:
            raise ConfigError(f"there is no recipe '{name}'; {nearest(name, ready_recipes())}")
    if scale not in SCALES:
        raise ConfigError(f"--scale {scale}: there are {' and '.join(SCALES)}")
    values = read_settings(path, "`method:` and `control:`")
    scales = {own: values.pop(own) or {} for own in SCALES if own in values}
    values |= scales.get(scale, {})
    for setting in settings:
        override(values, setting, "learning_rate=1e-4")
    lengths = {"epochs", "samples", "steps"}
    given = {setting.partition("=")[0] for setting in settings} & lengths
    return parse(Recipe, {k: v for k, v in values.items() if not given or k in given or k not in lengths}, str(path))
