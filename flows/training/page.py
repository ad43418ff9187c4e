"""The page of one training: its recipe, its losses, and what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.flows.curves import loss_curves, sample_strips
from sluice.infra.page.blocks import Cell, Notice, Page, Section, Table
from sluice.infra.page.render import render
from sluice.infra.whole import write_whole
from sluice.training.recipe import Recipe

SAMPLES = "samples.json"


def write_page(
    out: Path,
    recipe: Recipe,
    data: Sequence[str],
    lines: Sequence[Mapping[str, float]],
    notices: Sequence[Notice] = (),
    refresh: float | None = None,
) -> Path:
    """`index.html` in a training's folder, looked at anew after `refresh` seconds."""
    values = [[Cell(name), Cell(str(value))] for name, value in recipe.model_dump().items() if value is not None]
    sections = [
        Section("losses", "Losses", [loss_curves(lines)]),
        Section("samples", "Samples", sample_strips(out / SAMPLES)),
        Section("recipe", "Recipe", [Table(("setting", "value"), values, frozenset())]),
    ]
    facts = [("folder", f"`{out}`"), *(("data", f"`{name}`") for name in data)]
    path = out / "index.html"
    write_whole(path, render(Page(recipe.method, "training", facts, sections, notices, refresh)))
    return path
