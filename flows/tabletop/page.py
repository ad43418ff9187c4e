"""The page of a family's training: how far each part is, its losses, and pictures of what it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

from torch import nn

from sluice.flows.curves import loss_curves, sample_strips
from sluice.flows.tabletop.runs import DONE, TAKEN
from sluice.flows.tabletop.samples import samples
from sluice.infra.page.blocks import Block, Cell, Page, Section, Table
from sluice.infra.page.render import render
from sluice.infra.page.text import count_text
from sluice.infra.whole import write_whole
from sluice.training.log import read_losses
from sluice.training.tabletop.recipe import Part

PAGE, SAMPLES, LOSSES = "index.html", "samples.json", "losses.jsonl"


def write_page(out: Path, parts: Mapping[str, Part]) -> Path:
    """`index.html` in a training's folder, as it is now."""
    path = out / PAGE
    write_whole(path, render(page_now(out, parts)))
    return path


def page_now(out: Path, parts: Mapping[str, Part]) -> Page:
    """How far each part is, and what it does."""
    runs = {name: out / "runs" / name for name in parts}
    rows = [_row(parts[name], run) for name, run in runs.items()]
    sections = [
        Section("parts", "Parts", [Table(("part", "state", "steps", "scenes"), rows, frozenset({"steps", "scenes"}))]),
        *(Section(name, name, _blocks(run)) for name, run in runs.items() if (run / LOSSES).exists()),
    ]
    return Page("Tabletop", "training of the family", [("folder", f"`{out}`")], sections)


def keep_samples(part: Part, network: nn.Module, out: Path) -> None:
    """Pictures of what a network does now, with the finished parts beside it, for the page."""
    run = out / "runs" / part.name
    now = run / "now"
    shutil.rmtree(now, ignore_errors=True)
    part.save(deepcopy(network).cpu().float(), now)
    for finished in (out / "models").glob("*"):
        if not (now / finished.name).exists():
            (now / finished.name).symlink_to(finished.absolute())
    strips = [asdict(strip) for strip in samples(part.name, now)]
    shutil.rmtree(now)
    write_whole(run / SAMPLES, json.dumps(strips))


def _row(part: Part, run: Path) -> list[Cell]:
    lines = read_losses(run / LOSSES)
    step = int(lines[-1]["step"]) if lines else 0
    done = (run / DONE).read_text() if (run / DONE).exists() else ""
    state = TAKEN if done.startswith(TAKEN) else "trained" if done else "begun" if lines else "to come"
    share = 1.0 if done else step / part.recipe.steps
    steps = f"{count_text(step)} of {count_text(part.recipe.steps)}"
    return [Cell(part.name), Cell(state), Cell(steps, bar=share), Cell(count_text(step * part.recipe.batch))]


def _blocks(run: Path) -> list[Block]:
    return [loss_curves(read_losses(run / LOSSES)), *sample_strips(run / SAMPLES)]
