from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.training.commands import READY
from sluice.flows.training.recipes import SCALES, load_recipe, ready_recipes
from sluice.infra.settings import ConfigError


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ready_recipes())
def test_every_ready_recipe_is_whole_at_every_scale(name: str, scale: str) -> None:
    recipe = load_recipe(name, scale)
    assert recipe.base == ("tabletop" if scale == "tabletop" else "sd15")


def test_every_ready_recipe_is_a_command() -> None:
    assert sorted(READY) == ready_recipes()


def test_settings_go_over_a_recipe_and_one_length_over_another() -> None:
    recipe = load_recipe("micontrolnet-1", settings=["control=pose", "steps=7"])
    assert (recipe.control, recipe.steps, recipe.samples) == ("pose", 7, None)


def test_a_recipe_of_ones_own_needs_no_scales(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("{method: cnc-local, steps: 3, batch: 4, micro_batch: 2, learning_rate: 1.0e-4}")
    assert load_recipe(str(file)).method == "cnc-local"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("micontrolnet-3", [], r"there is no recipe 'micontrolnet-3'; did you mean 'micontrolnet-"),
        ("controlnet", ["lerning_rate=1"], "there is no 'lerning_rate'; did you mean 'learning_rate'"),
        ("controlnet", ["batch=many"], "batch: input should be a valid integer"),
        ("controlnet", ["learning_rate=1e38"], "learning_rate: input should be less than or equal to 1000"),
        ("controlnet", ["betas=[2, 3]"], r"betas\.0: input should be less than 1"),
        ("controlnet", ["seed=-1"], "seed: input should be greater than or equal to 0"),
        ("controlnet", ["learning_rate=.inf"], "learning_rate: input should be a finite number"),
        ("controlnet", ["batch=5"], r"batch \(5\) is to be a multiple of micro_batch \(\d+\)$"),
        ("nowhere.yaml", [], "there is no configuration file nowhere.yaml"),
    ],
)
def test_mistakes_are_named(name: str, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(name, settings=settings)


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ConfigError, match="there are tabletop and paper"):
        load_recipe("controlnet", "huge")
